import { z } from 'zod';
import {
  DeviceId,
  FirmwareVersion,
  HardwareRevision,
  Name,
  ProductName,
  SecurityCounter,
  Sha256Hex,
  Timestamp,
} from './common.ts';
import { Rehearsal } from './rehearsal.ts';

export const Artifact = z.object({ id: z.string(), sha256: Sha256Hex, length: z.number().int() });
export type Artifact = z.infer<typeof Artifact>;

export const ReleaseState = z.enum(['published', 'cancelled']);

export const Release = z.object({
  id: z.string(),
  product: ProductName,
  hardwareRevision: HardwareRevision,
  version: FirmwareVersion,
  securityCounter: SecurityCounter,
  state: ReleaseState,
  /** Hash and length of the whole signed image, as the manifest states them. */
  imageSha256: Sha256Hex,
  imageLength: z.number().int(),
  /** How many release keys signed the manifest, and how many the root asks for: `1-of-1` by default. */
  signatures: z.object({ present: z.number().int(), threshold: z.number().int() }),
  createdAt: Timestamp,
});
export type Release = z.infer<typeof Release>;

export const ReleaseDetail = Release.extend({
  /** DSSE envelope of the manifest, as devices get it. */
  manifest: z.unknown(),
  /** The verifier's reading of the image: TLVs, key hash, measurement. */
  image: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  rehearsal: Rehearsal,
});
export type ReleaseDetail = z.infer<typeof ReleaseDetail>;

/** Either raw firmware that Holdfast signs for the product, or an image that is signed already. */
export const CreateRelease = z.object({
  product: ProductName,
  hardwareRevision: HardwareRevision.optional(),
  version: FirmwareVersion,
  securityCounter: SecurityCounter,
  artifactId: z.string(),
  signed: z.boolean().default(false),
});

export const RolloutState = z.enum(['running', 'completed', 'cancelled', 'halted']);

export const ExecutionStatus = z.enum([
  'QUEUED',
  'IN_PROGRESS',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'REJECTED',
  'REMOVED',
  'CANCELED',
]);

/** What is known at the end: proven by evidence, or only what the device said. */
export const ExecutionOutcome = z.enum([
  'proven',
  'reported',
  'rolled-back',
  'failed',
  'timed-out',
  'rejected',
  'canceled',
]);

export const Execution = z.object({
  jobId: z.string(),
  deviceId: DeviceId,
  rolloutId: z.string().optional(),
  status: ExecutionStatus,
  awaitingProof: z.boolean(),
  outcome: ExecutionOutcome.optional(),
  reason: z.string().optional(),
  statusDetails: z.record(z.string(), z.string()),
  version: z.number().int(),
  queuedAt: Timestamp,
  startedAt: Timestamp.optional(),
  lastUpdatedAt: Timestamp,
});
export type Execution = z.infer<typeof Execution>;

export const Rollout = z.object({
  id: z.string(),
  releaseId: z.string(),
  product: ProductName,
  version: FirmwareVersion,
  target: z.object({ group: Name.optional(), devices: z.array(DeviceId).optional() }),
  state: RolloutState,
  counts: z.partialRecord(ExecutionStatus, z.number().int()),
  outcomes: z.partialRecord(ExecutionOutcome, z.number().int()),
  createdAt: Timestamp,
});
export type Rollout = z.infer<typeof Rollout>;

export const RolloutDetail = Rollout.extend({ executions: z.array(Execution) });
export type RolloutDetail = z.infer<typeof RolloutDetail>;

export const CreateRollout = z
  .object({
    releaseId: z.string(),
    group: Name.optional(),
    devices: z.array(DeviceId).min(1).max(100_000).optional(),
    inProgressTimeoutMinutes: z.number().int().min(1).max(10_080).default(60),
  })
  .refine((rollout) => (rollout.group === undefined) !== (rollout.devices === undefined), {
    message: 'give a group or a list of devices, one of the two',
  });

/** What a rollout would do, device by device, before anything happens. */
export const RolloutPlan = z.object({
  targets: z.array(DeviceId),
  excluded: z.array(z.object({ deviceId: DeviceId, code: z.string(), words: z.string() })),
});
export type RolloutPlan = z.infer<typeof RolloutPlan>;

/** A job that is not firmware: it ends on the device's word. */
export const CreateJob = z.object({
  jobId: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
  devices: z.array(DeviceId).min(1).max(10_000),
  document: z.record(z.string(), z.unknown()),
  inProgressTimeoutMinutes: z.number().int().min(1).max(10_080).optional(),
});
