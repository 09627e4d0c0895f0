import { type Clock, type Log, toHoldfastError } from '@holdfast/kernel';
import { type AuditFact, type AuditLog, DEFAULT_TENANT, type Store } from '@holdfast/trust/ports';
import { AddressRate } from './address-rate.ts';

export interface AuditTrailPorts {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Log;
}

interface AuditTrailLimits {
  /** Entries of one source at once, and a minute after that. */
  readonly burst: number;
  readonly perMinute: number;
  /** Entries of all sources together. */
  readonly totalBurst: number;
  readonly totalPerSecond: number;
  readonly sources: number;
}

const AUDIT_TRAIL_LIMITS: AuditTrailLimits = {
  burst: 5,
  perMinute: 1,
  totalBurst: 200,
  totalPerSecond: 20,
  sources: 10_000,
};

/** Longest caller text an entry holds. */
const MAX_TEXT = 256;

/** Writes refusals to the audit log, at a pace no peer can set: what is left out is counted in the next entry. */
export class AuditTrail {
  readonly #ports: AuditTrailPorts;
  readonly #each: AddressRate;
  readonly #all: AddressRate;
  #suppressed = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: AuditTrailPorts, limits: AuditTrailLimits = AUDIT_TRAIL_LIMITS) {
    this.#ports = ports;
    this.#each = new AddressRate(limits.burst, limits.perMinute / 60, limits.sources);
    this.#all = new AddressRate(limits.totalBurst, limits.totalPerSecond, 1);
  }

  /** @param source - Whose pace it counts against: a connection, a certificate or an address. */
  record(source: string, fact: AuditFact): void {
    const now = this.#ports.clock.monotonicMs();
    if (!this.#each.take(`${source} ${fact.action}`, now) || !this.#all.take('', now)) {
      this.#suppressed++;
      return;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    const details = suppressed === 0 ? fact.details : { ...fact.details, suppressed };
    this.#write({ ...fact, subject: fact.subject.slice(0, MAX_TEXT), details: shorten(details) });
  }

  /** Resolves when what was recorded so far is durable or was given up. */
  settled(): Promise<void> {
    return this.#writing;
  }

  #write(fact: AuditFact): void {
    const { audit, log, store } = this.#ports;
    const written = store.commit([audit.entry(fact)]).catch((error: unknown) => {
      log.error('a refusal could not be written to the audit log', {
        action: fact.action,
        code: toHoldfastError(error).code,
      });
    });
    this.#writing = Promise.all([this.#writing, written]).then(() => undefined);
  }
}

/** A handshake that ended before anybody was identified. */
export interface RefusedHandshake {
  readonly remoteAddress: string;
  /** OpenSSL's word for what is wrong with the peer's certificate; undefined when it was not the certificate. */
  readonly untrusted: string | undefined;
}

/** Tells the audit log of handshakes that failed, by address (AC01). */
export function auditHandshakes(trail: AuditTrail, listener: string): (refusal: RefusedHandshake) => void {
  return ({ remoteAddress, untrusted }) =>
    trail.record(remoteAddress, {
      tenant: DEFAULT_TENANT,
      actor: 'system',
      action: untrusted === undefined ? 'auth.failed' : 'auth.untrusted_ca',
      subject: remoteAddress,
      details: { listener, reason: untrusted ?? null },
    });
}

function shorten(details: AuditFact['details']): AuditFact['details'] {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.slice(0, MAX_TEXT) : value,
    ]),
  );
}
