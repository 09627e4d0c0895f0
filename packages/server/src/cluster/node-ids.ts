import type { Clock } from '@holdfast/kernel';

const EPOCH_MS = Date.UTC(2026, 0, 1);
const SLOTS = 64;
const PER_MS = 64;

/** Identities of messages, deliveries and epochs: 41 bits of time, 6 that count, 6 of the node. They fit a number. */
export class NodeIds {
  readonly #clock: Clock;
  #slot: number;
  #last = 0;

  constructor(clock: Clock, slot: number) {
    this.#clock = clock;
    this.#slot = slot;
  }

  /** The node was given another slot. */
  moveTo(slot: number): void {
    this.#slot = slot;
  }

  /** Never less than one before, also when the clock goes back. */
  next(): number {
    this.#last = Math.max(this.#last + 1, (this.#clock.now() - EPOCH_MS) * PER_MS);
    return this.#last * SLOTS + this.#slot;
  }

  /** What every identity given `ageMs` ago or earlier is below, as far as clocks agree. */
  before(ageMs: number): number {
    return (this.#clock.now() - EPOCH_MS - ageMs) * PER_MS * SLOTS;
  }
}
