import type { Clock, ErrorCode } from '@holdfast/kernel';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import type { DeviceJobs } from '@holdfast/trust/update';
import {
  type AwsIotRequest,
  type AwsMembers,
  encodeJobsMessage,
  type JobExecutionState,
  NEXT_JOB,
  readJobsMessage,
} from '@holdfast/wire/aws-iot';
import { executionOf, stateOf, summaryOf } from './job-words.ts';

export type JobsAsked = Extract<
  AwsIotRequest,
  { readonly kind: 'jobs-pending' | 'jobs-start-next' | 'job-describe' | 'job-update' }
>;

export interface JobAnswersPorts {
  readonly clock: Clock;
  readonly jobs: DeviceJobs;
}

export interface JobQuestion {
  readonly job?: string;
  readonly device: DevicePrincipal;
  readonly members: AwsMembers;
  readonly clientToken?: string | undefined;
  readonly timestamp: number;
}

export type JobAnswer =
  | { readonly kind: 'accepted'; readonly payload: Uint8Array }
  /** The execution is not as the device believes. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly state: JobExecutionState };

/** The Jobs API, whichever protocol asks: members in, the JSON of the answer out. */
export class JobAnswers {
  readonly #ports: JobAnswersPorts;
  readonly #verbs: Readonly<Record<JobsAsked['kind'], (question: JobQuestion) => Promise<JobAnswer>>> = {
    'jobs-pending': (question) => this.#pending(question),
    'jobs-start-next': (question) => this.#startNext(question),
    'job-describe': (question) => this.#describe(question),
    'job-update': (question) => this.#update(question),
  };

  constructor(ports: JobAnswersPorts) {
    this.#ports = ports;
  }

  /** @throws `wire.malformed`, `update.unknown_job`, `update.execution_ended`, `store.unavailable` */
  to(kind: JobsAsked['kind'], question: JobQuestion): Promise<JobAnswer> {
    return this.#verbs[kind](question);
  }

  async #pending({ device, clientToken, timestamp }: JobQuestion): Promise<JobAnswer> {
    const pending = await this.#ports.jobs.pending(device);
    const inState = (status: string) => pending.filter((each) => each.status === status).map(summaryOf);
    const reply = { inProgressJobs: inState('IN_PROGRESS'), queuedJobs: inState('QUEUED'), timestamp, clientToken };
    return { kind: 'accepted', payload: encodeJobsMessage('pendingReply', reply) };
  }

  async #startNext({ device, members, clientToken, timestamp }: JobQuestion): Promise<JobAnswer> {
    const { statusDetails, stepTimeoutInMinutes } = readJobsMessage('startNextRequest', members);
    const next = await this.#ports.jobs.startNext(device, { statusDetails, stepTimeoutMinutes: stepTimeoutInMinutes });
    const now = this.#ports.clock.now();
    const execution = next && executionOf(next.execution, now, next.document);
    return { kind: 'accepted', payload: encodeJobsMessage('executionReply', { execution, timestamp, clientToken }) };
  }

  async #describe({ job = NEXT_JOB, device, members, clientToken, timestamp }: JobQuestion): Promise<JobAnswer> {
    const { jobs, clock } = this.#ports;
    const { includeJobDocument = true, executionNumber } = readJobsMessage('describeRequest', members);
    const found =
      job === NEXT_JOB ? await jobs.describeNext(device) : await jobs.describe(device, job, executionNumber);
    const document = includeJobDocument ? found?.document : undefined;
    const execution = found && executionOf(found.execution, clock.now(), document);
    return { kind: 'accepted', payload: encodeJobsMessage('executionReply', { execution, timestamp, clientToken }) };
  }

  async #update({ job = NEXT_JOB, device, members, clientToken, timestamp }: JobQuestion): Promise<JobAnswer> {
    const { jobs } = this.#ports;
    const request = readJobsMessage('updateRequest', members);
    const { status, statusDetails, expectedVersion, executionNumber, stepTimeoutInMinutes } = request;
    const wish = { status, statusDetails, expectedVersion, executionNumber, stepTimeoutMinutes: stepTimeoutInMinutes };
    const outcome = await jobs.update(device, job, wish);
    if (outcome.kind === 'refused') return { ...outcome, state: stateOf(outcome.execution) };
    const executionState = request.includeJobExecutionState === true ? stateOf(outcome.execution) : undefined;
    const jobDocument = request.includeJobDocument === true ? await jobs.documentOf(device, job) : undefined;
    const reply = { executionState, jobDocument, timestamp, clientToken };
    return { kind: 'accepted', payload: encodeJobsMessage('updateReply', reply) };
  }
}
