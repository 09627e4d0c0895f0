import type { ErrorCode, EpochMs } from '@holdfast/kernel';
import type {
  AcceptedEvidence,
  DeviceId,
  DeviceRecord,
  Posture,
  PostureReason,
  ProductRecord,
} from '../ports/index.ts';
import type { DevicePrincipal } from '../principal.ts';

/** `restricted` keeps update, evidence, time, health and renewal; `none` keeps nothing. */
export type DeviceRights = 'full' | 'restricted' | 'none';

/** A server nonce, single use. */
export interface Challenge {
  readonly nonce: Uint8Array;
  readonly expiresAt: EpochMs;
}

/** RFC 9334 Attestation Result. */
export type AttestationResult =
  | {
      readonly kind: 'accepted';
      readonly deviceId: DeviceId;
      readonly posture: Posture;
      readonly reasons: readonly PostureReason[];
      readonly evidence: AcceptedEvidence;
      /** `confirm` lets a device keep the image it boots on trial. */
      readonly proceed: 'confirm' | 'none';
    }
  | {
      readonly kind: 'refused';
      readonly deviceId: DeviceId;
      readonly code: ErrorCode;
      readonly posture: Posture;
      readonly reasons: readonly PostureReason[];
    };

export interface AttestationDoor {
  challenge(principal: DevicePrincipal): Promise<Challenge>;
  /** @param token - CBOR EAT in COSE_Sign1, at most 16 KiB, or a TPM quote with its log (`wire/tpm2`) */
  appraise(principal: DevicePrincipal, token: Uint8Array): Promise<AttestationResult>;
}

export interface DevicePosture {
  readonly posture: Posture;
  readonly reasons: readonly PostureReason[];
  readonly since: EpochMs | undefined;
  readonly evidence: AcceptedEvidence | undefined;
  readonly rights: DeviceRights;
}

/** What the communication room asks on connect and on `posture.changed`, and the update room before it gives a job. */
export interface PostureReader {
  postureOf(device: Pick<DevicePrincipal, 'tenant' | 'deviceId'>): Promise<DevicePosture>;
  /** The same for a device and a product that were read already; an absent product is read here. */
  describe(device: DeviceRecord, product?: ProductRecord): Promise<DevicePosture>;
}
