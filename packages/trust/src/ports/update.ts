import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Sha256Hex, Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

export type ReleaseState = 'published' | 'cancelled';

/** One version of one product's firmware, as it was signed. Nothing but its state ever changes. */
export interface ReleaseRecord {
  readonly tenant: Tenant;
  readonly releaseId: string;
  readonly product: string;
  readonly hardwareRevision: string;
  readonly version: string;
  /** Security counter. */
  readonly counter: number;
  /** Order among the releases of the product, from 1; a device never takes a lower one than it has taken. */
  readonly sequence: number;
  readonly state: ReleaseState;
  readonly artifactId: string;
  /** SHA-256 and length of the whole signed image, as the manifest states them. */
  readonly imageSha256: Sha256Hex;
  readonly imageLength: number;
  /** What the boot stage before the application measures. */
  readonly measurement: Sha256Hex;
  /** MQTT stream id, at most 44 characters. */
  readonly streamId: string;
  /** JSON text of the DSSE envelope around the manifest. */
  readonly manifest: string;
  /** Distinct root keys that signed, and how many the root asked for. */
  readonly signatures: number;
  readonly threshold: number;
  /** Base64 DER ECDSA signature over the whole file, for agents that know no manifest. */
  readonly fileSignature: string;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

export interface ReleaseRepository {
  find(tenant: Tenant, releaseId: string): Promise<ReleaseRecord | undefined>;
  /** Withdrawn ones too: a version is never used twice. */
  findByVersion(
    tenant: Tenant,
    product: string,
    hardwareRevision: string,
    version: string,
  ): Promise<ReleaseRecord | undefined>;
  /** Highest counter of published releases for one hardware revision. */
  highestCounter(tenant: Tenant, product: string, hardwareRevision: string): Promise<number | undefined>;
  /** Highest sequence of the product, withdrawn releases too; 0 when there is none. */
  highestSequence(tenant: Tenant, product: string): Promise<number>;
  /** Every release whose file it is. */
  ofArtifact(artifactId: string): Promise<readonly ReleaseRecord[]>;
  /** Newest first. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<ReleaseRecord>>;
  /** Conflicts when the id, {product, hardware revision, version} or {product, sequence} exists. */
  inserting(release: ReleaseRecord): Write;
  /** Conflicts unless published. */
  cancelling(tenant: Tenant, releaseId: string): Write;
}

/** Keys and threshold that a release manifest must meet, by version. */
export interface ReleaseRootRecord {
  readonly tenant: Tenant;
  /** From 1. */
  readonly version: number;
  /** JSON text of the signed root document. */
  readonly document: string;
  /** Ids in the key store of the root keys that are kept here; none once they all moved out. */
  readonly localKeyIds: readonly string[];
  readonly createdAt: EpochMs;
}

export interface ReleaseRootRepository {
  newest(tenant: Tenant): Promise<ReleaseRootRecord | undefined>;
  /** Conflicts when the version exists. */
  inserting(root: ReleaseRootRecord): Write;
}

export type RolloutState = 'running' | 'completed' | 'cancelled' | 'halted';

export type RolloutTarget =
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'devices'; readonly deviceIds: readonly DeviceId[] };

export interface RolloutRecord {
  readonly tenant: Tenant;
  /** The job id at once: 1-64 of `[A-Za-z0-9_-]`. */
  readonly rolloutId: string;
  readonly releaseId: string;
  readonly product: string;
  readonly version: string;
  readonly target: RolloutTarget;
  readonly state: RolloutState;
  /** Where the making of executions stands: the last device looked at, `done` when all were. */
  readonly queueing: { readonly done: boolean; readonly after: string | undefined };
  readonly createdAt: EpochMs;
  readonly createdBy: string;
  readonly revision: number;
}

export type RolloutChange = Partial<Pick<RolloutRecord, 'state' | 'queueing'>>;

export interface RolloutRepository {
  find(tenant: Tenant, rolloutId: string): Promise<RolloutRecord | undefined>;
  /** Newest first. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<RolloutRecord>>;
  /** Of every tenant. */
  listRunning(): Promise<readonly RolloutRecord[]>;
  runningOfRelease(tenant: Tenant, releaseId: string): Promise<readonly RolloutRecord[]>;
  inserting(rollout: RolloutRecord): Write;
  /** Conflicts unless the row still has `from.revision`. */
  changing(from: RolloutRecord, change: RolloutChange): Write;
}

export type JobState = 'open' | 'cancelled';

/** What devices are asked to do. A firmware job has a release and its rollout's id. */
export interface JobRecord {
  readonly tenant: Tenant;
  readonly jobId: string;
  readonly releaseId: string | undefined;
  /** JSON text of an object, at most 32,768 characters. */
  readonly document: string;
  readonly state: JobState;
  /** 1-10,080; undefined means no limit. */
  readonly inProgressTimeoutMinutes: number | undefined;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

export interface JobRepository {
  find(tenant: Tenant, jobId: string): Promise<JobRecord | undefined>;
  /** Cancelled ones of every tenant that still have open executions: a stop of the process came in between. */
  listHalfCancelled(): Promise<readonly JobRecord[]>;
  /** Conflicts when the id exists. */
  inserting(job: JobRecord): Write;
  /** Conflicts unless open. */
  cancelling(tenant: Tenant, jobId: string): Write;
  /** Changes nothing; conflicts unless open, so that no execution starts or is made after a cancellation. */
  requiringOpen(tenant: Tenant, jobId: string): Write;
}

export type ExecutionStatus =
  | 'QUEUED'
  | 'IN_PROGRESS'
  | 'SUCCEEDED'
  | 'FAILED'
  | 'TIMED_OUT'
  | 'REJECTED'
  | 'REMOVED'
  | 'CANCELED';

/** How it ended: `proven` by evidence, `reported` by the device alone. */
export type ExecutionOutcome = 'proven' | 'reported' | 'rolled-back' | 'failed' | 'timed-out' | 'rejected' | 'canceled';

/** One job on one device. */
export interface ExecutionRecord {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly jobId: string;
  /** From 1. */
  readonly executionNumber: number;
  readonly releaseId: string | undefined;
  readonly status: ExecutionStatus;
  /** The device said SUCCEEDED; only evidence will end it. */
  readonly awaitingProof: boolean;
  readonly outcome: ExecutionOutcome | undefined;
  /** Stable code, words or the device's own reason. */
  readonly reason: string | undefined;
  readonly statusDetails: Readonly<Record<string, string>>;
  /** Rises with every change a device can see, from 1. */
  readonly versionNumber: number;
  readonly queuedAt: EpochMs;
  readonly startedAt: EpochMs | undefined;
  readonly lastUpdatedAt: EpochMs;
  readonly stepDeadlineAt: EpochMs | undefined;
  readonly inProgressDeadlineAt: EpochMs | undefined;
  /** From when on evidence of other firmware means that the device went back: it reset, tried or claimed the new one. */
  readonly triedAt: EpochMs | undefined;
  /** Rises with every change; a write names the revision it was decided on. */
  readonly revision: number;
}

export type ExecutionChange = Partial<
  Omit<ExecutionRecord, 'tenant' | 'deviceId' | 'jobId' | 'executionNumber' | 'releaseId' | 'queuedAt' | 'revision'>
>;

export interface ExecutionCounts {
  readonly statuses: Readonly<Partial<Record<ExecutionStatus, number>>>;
  readonly outcomes: Readonly<Partial<Record<ExecutionOutcome, number>>>;
}

export interface ExecutionRepository {
  find(tenant: Tenant, deviceId: DeviceId, jobId: string): Promise<ExecutionRecord | undefined>;
  /** QUEUED and IN_PROGRESS ones: IN_PROGRESS first, then in the order they were made. At most 1,000. */
  pendingOf(tenant: Tenant, deviceId: DeviceId): Promise<readonly ExecutionRecord[]>;
  /** Newest first. */
  listOfDevice(tenant: Tenant, deviceId: DeviceId, page: PageRequest): Promise<Page<ExecutionRecord>>;
  /** In order of device id. */
  listOfJob(tenant: Tenant, jobId: string, page: PageRequest): Promise<Page<ExecutionRecord>>;
  /** Some that have not ended. */
  openOfJob(tenant: Tenant, jobId: string, limit: number): Promise<readonly ExecutionRecord[]>;
  countOfJob(tenant: Tenant, jobId: string): Promise<ExecutionCounts>;
  /** IN_PROGRESS ones of every tenant with a deadline at or before `now`, earliest first. */
  due(now: EpochMs, limit: number): Promise<readonly ExecutionRecord[]>;
  /** Conflicts when the device has the job. */
  inserting(execution: ExecutionRecord): Write;
  /** Conflicts unless the row still has `from.revision`. */
  changing(from: ExecutionRecord, change: ExecutionChange): Write;
}

/** What the rehearsal of a release found last. */
export interface RehearsalRecord {
  readonly tenant: Tenant;
  readonly releaseId: string;
  /** Digest of all it was about: image, firmware in the field, keys, chip. Another one asks for another rehearsal. */
  readonly subjectSha256: Sha256Hex;
  readonly result: 'passed' | 'refused' | 'partial';
  /** JSON text of the report. */
  readonly report: string;
  readonly rehearsedAt: EpochMs;
  readonly rehearsedBy: string;
}

export interface RehearsalRepository {
  find(tenant: Tenant, releaseId: string): Promise<RehearsalRecord | undefined>;
  /** Takes the place of an earlier one. */
  keeping(record: RehearsalRecord): Write;
}

export interface UpdateRepositories {
  readonly releases: ReleaseRepository;
  readonly releaseRoots: ReleaseRootRepository;
  readonly rollouts: RolloutRepository;
  readonly jobs: JobRepository;
  readonly executions: ExecutionRepository;
  readonly rehearsals: RehearsalRepository;
}
