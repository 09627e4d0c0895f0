import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import type { DeviceJobs, UpdateOutcome } from '@holdfast/trust/update';
import {
  type AwsIotRequest,
  type AwsMembers,
  awsReplyTopics,
  decodeAwsPayload,
  encodeJobsMessage,
  NEXT_JOB,
  readJobsMessage,
} from '@holdfast/wire/aws-iot';
import { jobsWord } from './error-words.ts';
import { InOrder } from './in-order.ts';
import { executionOf, secondsOf, stateOf, summaryOf } from './job-words.ts';
import type { DeviceRequest } from './request.ts';
import type { RequestRate } from './request-rate.ts';

export type JobsAsked = Extract<
  AwsIotRequest,
  { readonly kind: 'jobs-pending' | 'jobs-start-next' | 'job-describe' | 'job-update' }
>;

export interface JobsTopicsPorts {
  readonly clock: Clock;
  readonly jobs: DeviceJobs;
  readonly rate: RequestRate;
}

interface Question {
  readonly job?: string;
  readonly device: DevicePrincipal;
  readonly members: AwsMembers;
  readonly clientToken: string | undefined;
  readonly timestamp: number;
}

interface Reply {
  readonly to: 'accepted' | 'rejected';
  readonly payload: Uint8Array;
}

/**
 * The Jobs API over MQTT. Answers go to the asking connection alone, whether it subscribed or may receive: FreeRTOS
 * agents and the AWS Jobs library wait for them without either.
 *
 * @see AWS IoT developer guide, "Jobs device MQTT API operations"
 */
export class JobsTopics {
  readonly #ports: JobsTopicsPorts;
  readonly #inOrder = new InOrder();
  readonly #verbs: Readonly<Record<JobsAsked['kind'], (question: Question) => Promise<Reply>>> = {
    'jobs-pending': (question) => this.#pending(question),
    'jobs-start-next': (question) => this.#startNext(question),
    'job-describe': (question) => this.#describe(question),
    'job-update': (question) => this.#update(question),
  };

  constructor(ports: JobsTopicsPorts) {
    this.#ports = ports;
  }

  /**
   * One request of a connection after the other: a device that sends its next status without waiting must not find the
   * older one stored over it.
   */
  answer(request: DeviceRequest<JobsAsked>): Promise<void> {
    return this.#inOrder.run(request.asker.connectionId, () => this.#answer(request));
  }

  async #answer({ asker, asked, device, payload }: DeviceRequest<JobsAsked>): Promise<void> {
    const { clock, rate } = this.#ports;
    const topics = awsReplyTopics(asked);
    const timestamp = secondsOf(clock.now());
    let clientToken: string | undefined;
    try {
      await rate.take(asker.connectionId);
      const members = decodeAwsPayload('json', payload);
      clientToken = readJobsMessage('pendingRequest', members).clientToken;
      const reply = await this.#verbs[asked.kind]({ ...asked, device, members, clientToken, timestamp });
      asker.reply(topics[reply.to], reply.payload, { unpoliced: true });
    } catch (error) {
      const rejection = { ...jobsWord(error), timestamp, clientToken };
      asker.reply(topics.rejected, encodeJobsMessage('rejection', rejection), { unpoliced: true });
    }
  }

  async #pending({ device, clientToken, timestamp }: Question): Promise<Reply> {
    const pending = await this.#ports.jobs.pending(device);
    const inState = (status: string) => pending.filter((each) => each.status === status).map(summaryOf);
    const reply = { inProgressJobs: inState('IN_PROGRESS'), queuedJobs: inState('QUEUED'), timestamp, clientToken };
    return { to: 'accepted', payload: encodeJobsMessage('pendingReply', reply) };
  }

  async #startNext({ device, members, clientToken, timestamp }: Question): Promise<Reply> {
    const { statusDetails, stepTimeoutInMinutes } = readJobsMessage('startNextRequest', members);
    const next = await this.#ports.jobs.startNext(device, { statusDetails, stepTimeoutMinutes: stepTimeoutInMinutes });
    const now = this.#ports.clock.now();
    const execution = next && executionOf(next.execution, now, next.document);
    return {
      to: 'accepted',
      payload: encodeJobsMessage('executionReply', { execution, timestamp, clientToken }),
    };
  }

  async #describe({ job = NEXT_JOB, device, members, clientToken, timestamp }: Question): Promise<Reply> {
    const { jobs, clock } = this.#ports;
    const { includeJobDocument = true, executionNumber } = readJobsMessage('describeRequest', members);
    const found =
      job === NEXT_JOB ? await jobs.describeNext(device) : await jobs.describe(device, job, executionNumber);
    const document = includeJobDocument ? found?.document : undefined;
    const execution = found && executionOf(found.execution, clock.now(), document);
    return {
      to: 'accepted',
      payload: encodeJobsMessage('executionReply', { execution, timestamp, clientToken }),
    };
  }

  async #update({ job = NEXT_JOB, device, members, clientToken, timestamp }: Question): Promise<Reply> {
    const { jobs } = this.#ports;
    const request = readJobsMessage('updateRequest', members);
    const { status, statusDetails, expectedVersion, executionNumber, stepTimeoutInMinutes } = request;
    const wish = { status, statusDetails, expectedVersion, executionNumber, stepTimeoutMinutes: stepTimeoutInMinutes };
    const outcome = await jobs.update(device, job, wish);
    if (outcome.kind === 'refused') return { to: 'rejected', payload: refusal(outcome, clientToken, timestamp) };
    const executionState = request.includeJobExecutionState === true ? stateOf(outcome.execution) : undefined;
    const jobDocument = request.includeJobDocument === true ? await jobs.documentOf(device, job) : undefined;
    const reply = { executionState, jobDocument, timestamp, clientToken };
    return { to: 'accepted', payload: encodeJobsMessage('updateReply', reply) };
  }
}

function refusal(
  outcome: Extract<UpdateOutcome, { kind: 'refused' }>,
  clientToken: string | undefined,
  timestamp: number,
): Uint8Array {
  const word = jobsWord(new HoldfastError(outcome.code));
  return encodeJobsMessage('rejection', {
    ...word,
    executionState: stateOf(outcome.execution),
    timestamp,
    clientToken,
  });
}
