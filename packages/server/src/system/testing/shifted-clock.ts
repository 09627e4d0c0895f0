import { type Clock, type EpochMs, systemClock, type Timer } from '@holdfast/kernel';

interface Pending {
  due: number;
  readonly periodMs: number | undefined;
  readonly action: () => void;
}

/**
 * The machine's clock, which a test can set and hurry.
 *
 * Sockets, disks and TLS go on in real time, so timers fire by themselves too.
 */
export class ShiftedClock implements Clock {
  #wallOffset = 0;
  #monotonicOffset = 0;
  readonly #pending = new Map<Pending, Timer>();

  now(): EpochMs {
    return systemClock.now() + this.#wallOffset;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#monotonicOffset;
  }

  after(delayMs: number, action: () => void): Timer {
    return this.#add({ due: this.monotonicMs() + Math.max(delayMs, 0), periodMs: undefined, action });
  }

  every(periodMs: number, action: () => void): Timer {
    return this.#add({ due: this.monotonicMs() + periodMs, periodMs, action });
  }

  /** Sets the wall clock, as an operator or NTP would; timers know nothing of it. */
  jump(byMs: number): void {
    this.#wallOffset += byMs;
  }

  /** Fires every timer that waits for at least `periodMs`, as if it were due: those of the house, not of one connection. */
  hurry(periodMs: number): void {
    for (const pending of Array.from(this.#pending.keys())) {
      if ((pending.periodMs ?? 0) >= periodMs) pending.action();
    }
  }

  #add(pending: Pending): Timer {
    this.#arm(pending);
    return {
      cancel: () => {
        this.#pending.get(pending)?.cancel();
        this.#pending.delete(pending);
      },
    };
  }

  #arm(pending: Pending): void {
    const timer = systemClock.after(pending.due - this.monotonicMs(), () => {
      if (pending.periodMs === undefined) this.#pending.delete(pending);
      else {
        pending.due += pending.periodMs;
        this.#arm(pending);
      }
      pending.action();
    });
    this.#pending.set(pending, timer);
  }
}
