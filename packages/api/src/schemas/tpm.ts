import { z } from 'zod';
import { FirmwareVersion, HardwareRevision, ProductName, SecurityCounter, Sha256Hex, Timestamp } from './common.ts';

const Pem = z.string().min(1).max(16_384);

/** One TPM for one device, by the certificate its maker put into it. */
export const ListTpm = z.object({
  certificatePem: Pem,
  claim: z.string().min(1).max(128),
  serial: z.string().min(1).max(128),
});

export const ListedTpm = z.object({
  /** SHA-256 of the endorsement key, SubjectPublicKeyInfo in DER. */
  keySha256: Sha256Hex,
  claim: z.string(),
  serial: z.string(),
  createdAt: Timestamp,
});
export type ListedTpm = z.infer<typeof ListedTpm>;

/** All TPMs whose certificates lead to this one may enroll under the claim. */
export const TrustTpmMaker = z.object({ certificatePem: Pem, claim: z.string().min(1).max(128) });

export const TpmMaker = z.object({
  fingerprint: Sha256Hex,
  name: z.string(),
  claim: z.string(),
  createdAt: Timestamp,
});
export type TpmMaker = z.infer<typeof TpmMaker>;

/** SHA-256 bank, register number to value. */
export const Registers = z
  .record(z.string().regex(/^(\d|1\d|2[0-3])$/), Sha256Hex)
  .refine((registers) => Object.keys(registers).length > 0, { message: 'give at least one register' });

/** What a gateway that is known to be good holds in its registers. */
export const RecordTpmReference = z.object({
  version: FirmwareVersion,
  hardwareRevision: HardwareRevision,
  securityCounter: SecurityCounter.default(0),
  registers: Registers,
});

export const TpmReference = z.object({
  product: ProductName,
  version: z.string(),
  hardwareRevision: z.string(),
  securityCounter: z.number(),
  registers: z.record(z.string(), z.string()),
  recordedAt: Timestamp,
  recordedBy: z.string(),
});
export type TpmReference = z.infer<typeof TpmReference>;
