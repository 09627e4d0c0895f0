import { isJsonObject, type JsonValue, HoldfastError } from '@holdfast/kernel';
import { type AwsMembers, decodeAwsPayload, encodeAwsPayload } from './payload.ts';
import {
  flag,
  integer,
  listOf,
  objectOf,
  oneOf,
  optional,
  type Read,
  readShape,
  type Shape,
  type ShapeOf,
  text,
  textMap,
} from './shape.ts';
import { JOB_ID } from './topics.ts';

/** @see AWS IoT developer guide, "Jobs device MQTT API", "Job execution states" */
export const JOB_EXECUTION_STATUSES = [
  'QUEUED',
  'IN_PROGRESS',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'REJECTED',
  'REMOVED',
  'CANCELED',
] as const;

export type JobExecutionStatus = (typeof JOB_EXECUTION_STATUSES)[number];

/** What a device itself may write. */
export const DEVICE_STATUSES = ['IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED'] as const;

export type DeviceStatus = (typeof DEVICE_STATUSES)[number];

/** Codes of `/rejected` on the Jobs topics. */
export const JOBS_ERROR_CODES = [
  'InvalidTopic',
  'InvalidJson',
  'InvalidRequest',
  'InvalidStateTransition',
  'ResourceNotFound',
  'VersionMismatch',
  'InternalError',
  'RequestThrottled',
  'TerminalStateReached',
] as const;

export type JobsErrorCode = (typeof JOBS_ERROR_CODES)[number];

const MAX_CLIENT_TOKEN_BYTES = 64;
const MAX_STATUS_DETAIL_PAIRS = 64;
const MAX_STATUS_DETAILS_BYTES = 16_384;
export const MAX_TIMEOUT_MINUTES = 10_080;
export const MAX_JOB_DOCUMENT_CHARACTERS = 32_768;

/** A step timeout of this cancels the running step timer. */
export const CANCEL_STEP_TIMEOUT = -1;

const clientToken = optional(text(MAX_CLIENT_TOKEN_BYTES));
const seconds = integer(0);

const statusDetails = optional(
  textMap({
    maxPairs: MAX_STATUS_DETAIL_PAIRS,
    maxBytes: MAX_STATUS_DETAILS_BYTES,
    key: text(128, /^[a-zA-Z0-9:_-]+$/),
    value: text(4096, /^\P{C}{1,1024}$/u),
  }),
);

/** -1 or 1 to 10,080. */
const stepTimeout: Read<number> = (value, field) => {
  const minutes = integer(CANCEL_STEP_TIMEOUT, MAX_TIMEOUT_MINUTES)(value, field);
  if (minutes === 0) throw new HoldfastError('wire.malformed', { field, reason: 'range' });
  return minutes;
};

const jobDocument: Read<{ readonly [key: string]: JsonValue }> = (value, field) => {
  if (!isJsonObject(value)) throw new HoldfastError('wire.malformed', { field, reason: 'not an object' });
  return value;
};

const PENDING_REQUEST = { clientToken } as const satisfies Shape;

const START_NEXT_REQUEST = {
  statusDetails,
  stepTimeoutInMinutes: optional(stepTimeout),
  clientToken,
} as const satisfies Shape;

const DESCRIBE_REQUEST = {
  executionNumber: optional(integer(0)),
  includeJobDocument: optional(flag),
  clientToken,
} as const satisfies Shape;

const UPDATE_REQUEST = {
  status: oneOf(DEVICE_STATUSES),
  statusDetails,
  expectedVersion: optional(integer(0)),
  executionNumber: optional(integer(0)),
  includeJobExecutionState: optional(flag),
  includeJobDocument: optional(flag),
  stepTimeoutInMinutes: optional(stepTimeout),
  clientToken,
} as const satisfies Shape;

const SUMMARY = {
  jobId: text(64, JOB_ID),
  queuedAt: seconds,
  startedAt: optional(seconds),
  lastUpdatedAt: seconds,
  versionNumber: integer(1),
  executionNumber: integer(1),
} as const satisfies Shape;

const EXECUTION = {
  ...SUMMARY,
  thingName: optional(text(128)),
  status: oneOf(JOB_EXECUTION_STATUSES),
  statusDetails,
  jobDocument: optional(jobDocument),
  approximateSecondsBeforeTimedOut: optional(seconds),
} as const satisfies Shape;

const EXECUTION_STATE = {
  status: oneOf(JOB_EXECUTION_STATUSES),
  statusDetails,
  versionNumber: integer(1),
} as const satisfies Shape;

const MAX_LISTED = 1000;
const summaries = listOf(SUMMARY, MAX_LISTED);

const PENDING_REPLY = {
  inProgressJobs: summaries,
  queuedJobs: summaries,
  timestamp: seconds,
  clientToken,
} as const satisfies Shape;

const EXECUTION_REPLY = {
  execution: optional(objectOf(EXECUTION)),
  timestamp: seconds,
  clientToken,
} as const satisfies Shape;

const UPDATE_REPLY = {
  executionState: optional(objectOf(EXECUTION_STATE)),
  jobDocument: optional(jobDocument),
  timestamp: seconds,
  clientToken,
} as const satisfies Shape;

const NOTIFY = {
  jobs: objectOf({ QUEUED: optional(summaries), IN_PROGRESS: optional(summaries) }),
  timestamp: seconds,
} as const satisfies Shape;

const REJECTION = {
  code: oneOf(JOBS_ERROR_CODES),
  message: text(4096),
  executionState: optional(objectOf(EXECUTION_STATE)),
  timestamp: seconds,
  clientToken,
} as const satisfies Shape;

export type StartNextRequest = ShapeOf<typeof START_NEXT_REQUEST>;
export type DescribeRequest = ShapeOf<typeof DESCRIBE_REQUEST>;
export type UpdateRequest = ShapeOf<typeof UPDATE_REQUEST>;

/** Times are whole seconds since the Unix epoch, here and below. */
export type JobSummary = ShapeOf<typeof SUMMARY>;
export type JobExecution = ShapeOf<typeof EXECUTION>;
export type JobExecutionState = ShapeOf<typeof EXECUTION_STATE>;

const SHAPES = {
  pendingRequest: PENDING_REQUEST,
  startNextRequest: START_NEXT_REQUEST,
  describeRequest: DESCRIBE_REQUEST,
  updateRequest: UPDATE_REQUEST,
  pendingReply: PENDING_REPLY,
  /** Of start-next, describe and notify-next; without `execution` when nothing is pending. */
  executionReply: EXECUTION_REPLY,
  updateReply: UPDATE_REPLY,
  notify: NOTIFY,
  rejection: REJECTION,
} as const;

export type JobsMessages = { readonly [Name in keyof typeof SHAPES]: ShapeOf<(typeof SHAPES)[Name]> };

/** What a sender gives: members that may be undefined may also be absent. */
export type Outgoing<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: T[K];
};

/** Reads one Jobs message from decoded members. @throws `wire.malformed` */
export function readJobsMessage<Name extends keyof JobsMessages>(name: Name, members: AwsMembers): JobsMessages[Name] {
  return readShape(members, SHAPES[name]) as JobsMessages[Name];
}

/** Decodes one Jobs message; they are JSON only. @throws `wire.malformed` */
export function decodeJobsMessage<Name extends keyof JobsMessages>(
  name: Name,
  payload: Uint8Array,
): JobsMessages[Name] {
  return readJobsMessage(name, decodeAwsPayload('json', payload));
}

export function encodeJobsMessage<Name extends keyof JobsMessages>(
  _name: Name,
  message: Outgoing<JobsMessages[Name]>,
): Uint8Array {
  return encodeAwsPayload('json', message);
}
