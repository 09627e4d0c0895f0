import type { ErrorCode } from '@holdfast/kernel';
import type { EvidenceReply } from '@holdfast/wire/holdfast';
import type { DeviceStatus } from '@holdfast/wire/aws-iot';
import type { BootEvent } from '@holdfast/crypto/virtual-chip';

/** Why a device starts over. */
export type ResetReason = 'update-staged' | 'confirmed' | 'self-test-failed' | 'proof-refused' | 'power-lost';

/** What a device does, as it does it; for pages, demonstrations and tests. */
export type AgentEvent =
  /** Of a virtual device: what its bootloader does, before `booted`. */
  | { readonly kind: 'boot-step'; readonly step: BootEvent }
  | {
      readonly kind: 'booted';
      readonly mode: 'application' | 'safe-mode';
      readonly version: string;
      readonly bootState: 'test' | 'confirmed' | 'recovery';
      readonly securityCounter: number;
      /** Why nothing boots, in safe mode. */
      readonly code?: ErrorCode;
    }
  | { readonly kind: 'enrolled'; readonly deviceId: string; readonly notAfter: number }
  | { readonly kind: 'renewed'; readonly deviceId: string; readonly notAfter: number }
  | { readonly kind: 'connected'; readonly deviceId: string }
  | { readonly kind: 'disconnected'; readonly code: ErrorCode; readonly reason: string }
  | { readonly kind: 'evidence'; readonly reply: EvidenceReply }
  | { readonly kind: 'evidence-rejected'; readonly code: string }
  | {
      readonly kind: 'job';
      readonly jobId: string;
      readonly status: DeviceStatus;
      readonly code?: string;
      readonly step?: string;
    }
  | { readonly kind: 'downloading'; readonly jobId: string; readonly received: number; readonly size: number }
  | { readonly kind: 'staged'; readonly jobId: string; readonly version: string }
  | { readonly kind: 'confirmed'; readonly version: string }
  | { readonly kind: 'reset'; readonly reason: ResetReason };
