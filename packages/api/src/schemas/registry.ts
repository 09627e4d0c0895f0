import { z } from 'zod';
import { DeviceId, HardwareRevision, Name, ProductName, Sha256Hex, Timestamp } from './common.ts';
import { DeviceState, EstablishDevice } from './device.ts';

const Attributes = z.record(z.string().max(128), z.string().max(800));

/** A device as it is exported: what an import takes, and when it was made. */
export const RegistryRow = z.object({
  id: DeviceId,
  serial: z.string(),
  product: ProductName,
  hardwareRevision: HardwareRevision,
  state: DeviceState,
  groups: z.array(Name),
  attributes: Attributes,
  /** Hex UEID (RFC 9711). */
  ueid: z.string().optional(),
  /** Base64 SubjectPublicKeyInfo. */
  attestationAnchor: z.string().optional(),
  /** SHA-256 of the certificates that are attached and not revoked. */
  certificates: z.array(Sha256Hex),
  createdAt: Timestamp,
});
export type RegistryRow = z.infer<typeof RegistryRow>;

/** What is left out stays as it is; `createdAt` is of the exporting registry and is not taken over. */
export const ImportDevice = z.strictObject({
  id: DeviceId,
  serial: z.string().min(1).max(128).optional(),
  product: ProductName,
  hardwareRevision: HardwareRevision.optional(),
  state: DeviceState.optional(),
  groups: z.array(Name).max(64).optional(),
  attributes: Attributes.optional(),
  ueid: EstablishDevice.shape.ueid,
  attestationAnchor: z.string().max(1024).optional(),
  certificates: z.array(Sha256Hex).max(64).optional(),
  createdAt: Timestamp.optional(),
});
export type ImportDevice = z.infer<typeof ImportDevice>;

/** Rows of one import. `apply: false` says what would happen and changes nothing. */
export const ImportDevices = z.object({
  rows: z.array(ImportDevice).min(1).max(1000),
  apply: z.boolean().default(false),
});

export const ImportResult = z.object({
  id: DeviceId,
  outcome: z.enum(['created', 'changed', 'unchanged', 'refused']),
  /** Why it was refused, and the rule or field. */
  code: z.string().optional(),
  rule: z.string().optional(),
});
export type ImportResult = z.infer<typeof ImportResult>;

/** One for each row, in their order. */
export const ImportReport = z.object({ results: z.array(ImportResult) });

/** A certificate for a device by an operator's hand, within a claim that lists its serial number or has room. */
export const EnrollDevice = z.object({
  claim: z.string().min(1).max(128),
  /** Base64 PKCS #10 in DER. */
  csr: z.string().min(1).max(24_000),
  /** Whether the key was made on the device, or on the station that asks for it. */
  keyOrigin: z.enum(['device', 'station']).default('device'),
});

export const EnrolledDevice = z.object({
  id: DeviceId,
  fingerprint: Sha256Hex,
  notAfter: Timestamp,
  /** PEM of the certificate and its issuers up to the root. */
  chainPem: z.string(),
});
export type EnrolledDevice = z.infer<typeof EnrolledDevice>;
