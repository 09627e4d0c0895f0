import { z } from 'zod';
import { DeviceId, HardwareRevision, Name, ProductName, SecurityCounter, Sha256Hex, Timestamp } from './common.ts';

/** ISO/IEC 24760 life cycle, as the registry keeps it. */
export const DeviceState = z.enum(['established', 'active', 'suspended', 'quarantined', 'revoked', 'archived']);

export const PostureState = z.enum(['unproven', 'proven', 'restricted', 'quarantined']);

export const PostureReason = z.object({ code: z.string(), words: z.string() });

export const Posture = z.object({
  state: PostureState,
  reasons: z.array(PostureReason),
  evidenceAt: Timestamp.optional(),
});
export type Posture = z.infer<typeof Posture>;

/** What the device last proved to run; absent until it proved something. */
export const ProvenFirmware = z.object({
  version: z.string(),
  securityCounter: SecurityCounter,
  digest: Sha256Hex,
  bootState: z.enum(['test', 'confirmed', 'recovery']),
});

export const Presence = z.object({
  connected: z.boolean(),
  since: Timestamp.optional(),
  address: z.string().optional(),
  protocol: z.string().optional(),
});

export const CertificateSummary = z.object({
  fingerprint: Sha256Hex,
  serialNumber: z.string(),
  state: z.enum(['pending', 'active', 'successor', 'superseded', 'revoked', 'abandoned', 'expired']),
  keyOrigin: z.enum(['device', 'station', 'server']),
  notBefore: Timestamp,
  notAfter: Timestamp,
  door: z.string(),
});

export const Device = z.object({
  id: DeviceId,
  serial: z.string(),
  product: ProductName,
  hardwareRevision: HardwareRevision,
  state: DeviceState,
  /** Why it is held back, in words. */
  stateReason: z.string().optional(),
  groups: z.array(Name),
  attributes: z.record(z.string(), z.string()),
  posture: Posture,
  firmware: ProvenFirmware.optional(),
  presence: Presence,
  createdAt: Timestamp,
});
export type Device = z.infer<typeof Device>;

export const DeviceDetail = Device.extend({
  ueid: z.string().optional(),
  attestationAnchor: z.string().optional(),
  certificates: z.array(CertificateSummary),
  /** PEM of the current certificate and its issuers up to the root. */
  chainPem: z.string().optional(),
});
export type DeviceDetail = z.infer<typeof DeviceDetail>;

export const DeviceQuery = z.object({
  product: ProductName.optional(),
  group: Name.optional(),
  state: DeviceState.optional(),
  /** Prefix of the device id. */
  prefix: z.string().max(128).optional(),
});

/** The factory step: a registry row before the device ever connects. */
export const EstablishDevice = z.object({
  id: DeviceId,
  serial: z.string().min(1).max(128),
  product: ProductName,
  hardwareRevision: HardwareRevision,
  groups: z.array(Name).max(64).default([]),
  attributes: z.record(z.string().max(128), z.string().max(800)).default({}),
  /** Base64 SubjectPublicKeyInfo of the key that certifies the device's boot measurements. */
  attestationAnchor: z.string().optional(),
  /** Hex UEID (RFC 9711). */
  ueid: z
    .string()
    .regex(/^[0-9a-f]{14,66}$/)
    .optional(),
});

export const RevocationReason = z.enum([
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
]);

export const RevokeDevice = z.object({ reason: RevocationReason.default('unspecified') });

export const RevocationOutcome = z.object({
  kind: z.enum(['revoked', 'already-revoked']),
  certificates: z.number().int(),
  sessionsCut: z.number().int(),
  elapsedMs: z.number(),
});
export type RevocationOutcome = z.infer<typeof RevocationOutcome>;

/** Replaces them all; the operator's words, never grounds for trust. */
export const DescribeDevice = z.object({
  attributes: z.record(z.string().min(1).max(128), z.string().max(800)),
});

export const AssignGroups = z.object({ groups: z.array(Name).max(64) });
