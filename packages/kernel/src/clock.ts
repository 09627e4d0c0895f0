/** Milliseconds since the Unix epoch. */
export type EpochMs = number;

export interface Timer {
  cancel(): void;
}

/**
 * Time as a port.
 *
 * `now` is the wall clock and may jump; `monotonicMs` never goes back and is what deadlines and leases use.
 */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  /** Runs `action` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, action: () => void): Timer;
  /** Runs `action` every `periodMs`; the timer does not keep the process alive. */
  every(periodMs: number, action: () => void): Timer;
}

interface Handle {
  unref?(): unknown;
}

const MAX_DELAY_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    const handle = setTimeout(action, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS));
    (handle as Handle).unref?.();
    return { cancel: () => clearTimeout(handle) };
  },
  every(periodMs, action) {
    const handle = setInterval(action, Math.min(periodMs, MAX_DELAY_MS));
    (handle as Handle).unref?.();
    return { cancel: () => clearInterval(handle) };
  },
};

interface Pending {
  due: number;
  readonly periodMs: number | undefined;
  readonly action: () => void;
}

/** A clock a test moves by hand; timers fire, in order of time, inside `advance`. */
export class ManualClock implements Clock {
  #now: EpochMs;
  #monotonicMs = 0;
  readonly #pending = new Set<Pending>();

  constructor(now: EpochMs = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): EpochMs {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, action: () => void): Timer {
    return this.#add({ due: this.#monotonicMs + Math.max(delayMs, 0), periodMs: undefined, action });
  }

  every(periodMs: number, action: () => void): Timer {
    return this.#add({ due: this.#monotonicMs + periodMs, periodMs, action });
  }

  /** Lets time pass, wall and monotonic alike. */
  advance(byMs: number): void {
    const end = this.#monotonicMs + byMs;
    for (let next = this.#nextDue(end); next !== undefined; next = this.#nextDue(end)) {
      this.#now += next.due - this.#monotonicMs;
      this.#monotonicMs = next.due;
      if (next.periodMs === undefined) this.#pending.delete(next);
      else next.due += next.periodMs;
      next.action();
    }
    this.#now += end - this.#monotonicMs;
    this.#monotonicMs = end;
  }

  /** Moves the wall clock alone, as an operator or NTP would. */
  jump(byMs: number): void {
    this.#now += byMs;
  }

  #add(pending: Pending): Timer {
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  #nextDue(end: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.due <= end && (first === undefined || pending.due < first.due)) first = pending;
    }
    return first;
  }
}

/** RFC 3339 in UTC with milliseconds, as every time looks outside. */
export function formatRfc3339(at: EpochMs): string {
  return new Date(at).toISOString();
}
