import type { Tenant } from './ids.ts';
import type { Write } from './store.ts';

/**
 * Facts one room states and others react to, by name. `subject` is the id the fact is about.
 *
 * | event | subject | data |
 * |---|---|---|
 * | device.enrolled | device id | certificate fingerprint |
 * | device.suspended, device.revoked, device.readmitted, device.quarantined | device id | reason |
 * | certificate.revoked, certificate.superseded | fingerprint | device id, reason |
 * | certificate.registered | fingerprint | its issuer: it waits for an operator |
 * | manufacturer.changed | fingerprint of the authority | state |
 * | claim.revoked | claim id | fingerprint |
 * | posture.changed | device id | from, to, reasons |
 * | evidence.accepted, evidence.refused | device id | digest, version, counter, boot state |
 * | policy.changed | policy name | |
 * | product.changed | product name | what changed |
 * | release.created, release.cancelled | release id | product, version |
 * | rollout.started, rollout.cancelled, rollout.completed | rollout id | release id |
 * | execution.queued, execution.changed | job id | device id, status |
 * | artifact.corrupt | artifact id | |
 */
export interface DomainEvent {
  readonly tenant: Tenant;
  readonly name: EventName;
  readonly subject: string;
  readonly data: Readonly<Record<string, string | number | boolean | null>>;
}

export type EventName =
  | 'device.enrolled'
  | 'device.suspended'
  | 'device.revoked'
  | 'device.readmitted'
  | 'device.quarantined'
  | 'certificate.revoked'
  | 'certificate.superseded'
  | 'claim.revoked'
  | 'certificate.registered'
  | 'manufacturer.changed'
  | 'tickets.voided'
  | 'posture.changed'
  | 'evidence.accepted'
  | 'evidence.refused'
  | 'policy.changed'
  | 'product.changed'
  | 'release.created'
  | 'release.cancelled'
  | 'rollout.started'
  | 'rollout.cancelled'
  | 'rollout.completed'
  | 'execution.queued'
  | 'execution.changed'
  | 'artifact.corrupt';

/** An event as the outbox holds it: `sequence` rises by commit order and never repeats. */
export interface StoredEvent extends DomainEvent {
  readonly sequence: number;
  readonly at: number;
}

/** Turns a fact into a write of the same unit of work that made it true. */
export interface Outbox {
  event(event: DomainEvent): Write;
}

/** Called for every event, in order, until it resolves; it may see an event twice and must not mind. */
export type EventHandler = (event: StoredEvent) => Promise<void> | void;

export interface Subscription {
  close(): void;
}

/** The reading end of the outbox. */
export interface Events {
  /**
   * Delivers every kept event at least once, in order, also those committed before a crash.
   *
   * A handler that fails is asked again after a pause; it holds up its own consumer only.
   *
   * @param consumer - durable name of the position; one subscription a name.
   */
  subscribe(consumer: string, handler: EventHandler): Subscription;
  /** Events after `sequence`, oldest first, 1-1000. */
  since(sequence: number, limit: number): Promise<readonly StoredEvent[]>;
  /** Sequence of the last committed event; 0 when there was none. */
  latest(): number;
}
