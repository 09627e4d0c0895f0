import type { Clock, Log, Random } from '@holdfast/kernel';
import type { AwsFormat } from '@holdfast/wire/aws-iot';
import type { MqttVersion } from '@holdfast/wire/mqtt';
import { type BackoffRule, RECONNECT_BACKOFF } from '../net/backoff.ts';
import type { DeviceStore } from '../store/device-store.ts';
import type { AgentEvent } from './events.ts';
import type { DevicePlatform, DeviceProfile } from './platform.ts';

export interface ServerAddress {
  readonly host: string;
  readonly mqttPort: number;
  /** Device HTTPS: EST, artifacts. */
  readonly httpsPort: number;
}

/** A claim certificate with its key, for the first enrollment. */
export interface ClaimCredential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** How a device without certificate gets one. */
export type EnrollmentPlan =
  | {
      readonly kind: 'fleet';
      readonly claim: ClaimCredential;
      readonly format: AwsFormat;
      readonly key: 'csr' | 'keys';
      /** Provisioning template; the product unless given. */
      readonly template?: string;
      readonly parameters?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'est'; readonly claim: ClaimCredential; readonly label?: string };

/** How images are fetched. */
export type Transport = 'mqtt-cbor' | 'mqtt-json' | 'https';

export interface AgentTimings {
  /** How long an image on trial may wait for the server's word before the device goes back. */
  readonly trialMs: number;
  /** How long a reply may take. */
  readonly replyMs: number;
  /** Between two proofs without a reset. */
  readonly evidenceEveryMs: number;
  /** Between two questions for work when no notification came. */
  readonly pollMs: number;
  /** Between a loss of power and its return (virtual devices). */
  readonly powerReturnMs: number;
  readonly reconnect: BackoffRule;
}

export const DEFAULT_TIMINGS: AgentTimings = {
  trialMs: 300_000,
  replyMs: 10_000,
  evidenceEveryMs: 6 * 3_600_000,
  pollMs: 300_000,
  powerReturnMs: 100,
  reconnect: RECONNECT_BACKOFF,
};

export interface AgentOptions {
  readonly platform: DevicePlatform;
  readonly profile: DeviceProfile;
  readonly store: DeviceStore;
  readonly server: ServerAddress;
  readonly enrollment?: EnrollmentPlan;
  readonly mqttVersion: MqttVersion;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings?: Partial<AgentTimings>;
  /** What the firmware of this version finds out about itself. */
  readonly selfTest?: (version: string) => boolean;
  readonly onEvent?: (event: AgentEvent) => void;
}
