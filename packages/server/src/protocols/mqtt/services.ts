import type { Clock, Log, Random } from '@holdfast/kernel';
import type { PublishScan } from '@holdfast/wire/mqtt';
import type { Interest } from './interest.ts';
import type { Journal } from './journal.ts';
import type { MqttLimits } from './limits.ts';
import type { MqttMetrics } from './metrics.ts';
import type { Flusher } from './outbox.ts';
import type { Peers } from './peers.ts';
import type { Authenticator, MqttObserver, ReservedTopics } from './ports.ts';
import type { MqttProfile } from './profiles.ts';
import type { Relief } from './relief.ts';
import type { Router } from './router.ts';
import type { SessionTable } from './session-table.ts';

/** What every connection of one core shares; `profile` and `limits` are those of its listener. */
export interface Services {
  readonly profile: MqttProfile;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MqttMetrics;
  readonly flusher: Flusher;
  readonly journal: Journal;
  readonly router: Router;
  readonly sessions: SessionTable;
  /** Undefined where this core is alone; so is `interest`. */
  readonly peers: Peers | undefined;
  readonly interest: Interest | undefined;
  readonly authenticator: Authenticator;
  readonly reserved: ReservedTopics | undefined;
  readonly observer: MqttObserver;
  /** Where the PUBLISH at hand is taken apart. */
  readonly scan: PublishScan;
  /** The subscriber that the PUBLISH at hand found behind; one place for all profiles. */
  readonly pressure: { behind: Relief | undefined };
}
