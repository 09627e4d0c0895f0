import type { Clock, EpochMs } from '@holdfast/kernel';
import type { DeviceId, Tenant } from '../ports/index.ts';
import type { SystemPrincipal } from '../principal.ts';
import type { Takeover, TakeoverWatch } from './contracts.ts';

export interface CloneTrapLimits {
  /** Take-overs within the window that prove two users of one key. */
  readonly takeovers: number;
  readonly windowMs: number;
  /** Devices remembered at once; the one quiet for longest is forgotten first. */
  readonly devices: number;
}

export const CLONE_TRAP_LIMITS: CloneTrapLimits = { takeovers: 3, windowMs: 60_000, devices: 100_000 };

/** The last take-overs of each device; time comes from outside. */
export class TakeoverHistory {
  readonly #limits: CloneTrapLimits;
  readonly #times = new Map<string, readonly number[]>();

  constructor(limits: CloneTrapLimits = CLONE_TRAP_LIMITS) {
    this.#limits = limits;
  }

  /** @returns whether this take-over is one too many. */
  record(takeover: Takeover, nowMs: number): boolean {
    if (takeover.previous.connectionId === takeover.next.connectionId) return false;
    const key = `${takeover.tenant} ${takeover.deviceId}`;
    const recent = (this.#times.get(key) ?? []).filter((at) => nowMs - at < this.#limits.windowMs);
    const times = [...recent, nowMs];
    this.#times.delete(key);
    if (times.length >= this.#limits.takeovers) return true;
    this.#times.set(key, times);
    this.#forget(nowMs);
    return false;
  }

  #forget(nowMs: number): void {
    for (const [key, times] of this.#times) {
      const quiet = nowMs - (times.at(-1) ?? 0) >= this.#limits.windowMs;
      if (!quiet && this.#times.size <= this.#limits.devices) return;
      this.#times.delete(key);
    }
  }
}

interface Quarantine {
  quarantine(principal: SystemPrincipal, deviceId: DeviceId, finding: QuarantineFinding): Promise<unknown>;
}

export interface QuarantineFinding {
  /** Stable code. */
  readonly code: string;
  /** For an operator to read. */
  readonly words: string;
  readonly details: Readonly<Record<string, string | number>>;
}

export interface CloneTrapPorts {
  readonly clock: Clock;
  readonly registry: Quarantine;
  readonly limits?: CloneTrapLimits;
}

/**
 * Quarantines an identity that two connections take from each other in turn: a copied key.
 *
 * Both users lose it, for the server cannot tell which one is the device.
 */
export class CloneTrap implements TakeoverWatch {
  readonly #ports: CloneTrapPorts;
  readonly #history: TakeoverHistory;

  constructor(ports: CloneTrapPorts) {
    this.#ports = ports;
    this.#history = new TakeoverHistory(ports.limits);
  }

  /** A take-over at another node, which acts on it: it counts here too. */
  note(takeover: Takeover): void {
    this.#history.record(takeover, this.#ports.clock.monotonicMs());
  }

  async takenOver(takeover: Takeover): Promise<'kept' | 'quarantined'> {
    if (!this.#history.record(takeover, this.#ports.clock.monotonicMs())) return 'kept';
    await this.#ports.registry.quarantine(system(takeover.tenant), takeover.deviceId, findingOf(takeover));
    return 'quarantined';
  }
}

function findingOf({ previous, next }: Takeover): QuarantineFinding {
  return {
    code: 'identity.clone_suspected',
    words: `two connections used the same key in turn, from ${previous.remoteAddress} and ${next.remoteAddress}`,
    details: {
      firstAddress: previous.remoteAddress,
      firstConnectedAt: rfc3339(previous.connectedAt),
      secondAddress: next.remoteAddress,
      secondConnectedAt: rfc3339(next.connectedAt),
    },
  };
}

const system = (tenant: Tenant): SystemPrincipal => ({ kind: 'system', tenant });
const rfc3339 = (at: EpochMs): string => new Date(at).toISOString();
