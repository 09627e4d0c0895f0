import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, Fingerprint, Sha256Hex, Tenant } from './ids.ts';
import type { Write } from './store.ts';

/** A maker of TPMs: whatever it certified may enroll under the claim, within the claim's own limits. */
export interface TpmAuthority {
  readonly tenant: Tenant;
  readonly fingerprint: Fingerprint;
  readonly der: Uint8Array;
  readonly claimId: string;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

/** One TPM that somebody listed by its endorsement key: it is that device and no other. */
export interface TpmEndorsement {
  readonly tenant: Tenant;
  /** SHA-256 of the endorsement key's SubjectPublicKeyInfo. */
  readonly keySha256: Sha256Hex;
  readonly claimId: string;
  readonly serialNumber: string;
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

/** The TPM of a device, as its enrollment proved it. */
export interface DeviceTpm {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  /** TPMT_PUBLIC. */
  readonly attestationKey: Uint8Array;
  readonly endorsementSha256: Sha256Hex;
  /** `listed`: its endorsement key was named beforehand; `certified`: its maker's certificate was believed. */
  readonly trust: 'listed' | 'certified';
  readonly enrolledAt: EpochMs;
}

/** The TPM's count of starts when it last quoted, so that a start in between is seen and a count going back too. */
export interface TpmStarts {
  readonly resetCount: number;
  readonly restartCount: number;
}

/** What the registers of a product's gateways hold when they run one version (RFC 9334 Reference Value). */
export interface TpmReference {
  readonly tenant: Tenant;
  readonly product: string;
  readonly version: string;
  readonly hardwareRevision: string;
  readonly counter: number;
  /** Register number to lower-case hex of its SHA-256 bank. */
  readonly pcrs: Readonly<Record<string, string>>;
  readonly recordedAt: EpochMs;
  readonly recordedBy: string;
}

export interface TpmRepository {
  authorities(tenant: Tenant): Promise<readonly TpmAuthority[]>;
  endorsement(tenant: Tenant, keySha256: Sha256Hex): Promise<TpmEndorsement | undefined>;
  endorsements(tenant: Tenant, claimId: string): Promise<readonly TpmEndorsement[]>;
  ofDevice(tenant: Tenant, deviceId: DeviceId): Promise<DeviceTpm | undefined>;
  starts(tenant: Tenant, deviceId: DeviceId): Promise<TpmStarts | undefined>;
  /** Newest first. */
  references(tenant: Tenant, product: string): Promise<readonly TpmReference[]>;
  /** Conflicts when the authority is known. */
  trusting(authority: TpmAuthority): Write;
  /** Conflicts unless it is known. */
  distrusting(tenant: Tenant, fingerprint: Fingerprint): Write;
  /** Conflicts when the key is listed. */
  listing(endorsement: TpmEndorsement): Write;
  /** Replaces what the device had. */
  binding(tpm: DeviceTpm): Write;
  counting(tenant: Tenant, deviceId: DeviceId, starts: TpmStarts): Write;
  /** Replaces the product's reference of the same version and hardware revision. */
  recording(reference: TpmReference): Write;
  /** Conflicts when the challenge was answered before. */
  answering(tenant: Tenant, challengeSha256: Sha256Hex, expiresAt: EpochMs): Write;
  /** Forgets answered challenges that expired before `now`. */
  forgetting(now: EpochMs): Write;
}
