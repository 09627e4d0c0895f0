import { type Clock, HoldfastError } from '@holdfast/kernel';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Spares a database that is down: after a failed attempt nobody tries again before a pause that doubles. */
export class Outage {
  readonly #clock: Clock;
  #pauseMs = 0;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws `store.unavailable` while the pause lasts. */
  check(): void {
    if (this.#clock.monotonicMs() < this.#until)
      throw new HoldfastError('store.unavailable', { reason: 'no connection' });
  }

  failed(): void {
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
    this.#until = this.#clock.monotonicMs() + this.#pauseMs;
  }

  ended(): void {
    this.#pauseMs = 0;
    this.#until = 0;
  }
}
