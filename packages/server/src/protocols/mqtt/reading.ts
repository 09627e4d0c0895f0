import type { Clock, Timer } from '@holdfast/kernel';
import type { Transport } from './ports.ts';
import type { Relief } from './relief.ts';

export interface ReadingPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The longest rest; 0: none. */
  readonly restMs: number;
  /** A rest is over: what was held meanwhile is to be read. */
  readonly onWake: () => void;
}

/** Whether a connection is read just now: stopped while the store is behind, resting while a subscriber is. */
export class Reading {
  readonly #ports: ReadingPorts;
  #blocked = false;
  #rest: Timer | undefined;
  /** Monotonic ms before which there is no other rest. */
  #noRestBefore = 0;

  constructor(ports: ReadingPorts) {
    this.#ports = ports;
  }

  get resting(): boolean {
    return this.#rest !== undefined;
  }

  block(): void {
    this.#blocked = true;
    this.#ports.transport.pause();
  }

  unblock(): void {
    this.#blocked = false;
    if (!this.resting) this.#ports.transport.resume();
  }

  rest(behind: Relief): void {
    const { transport, clock, restMs } = this.#ports;
    if (restMs === 0 || this.resting || clock.monotonicMs() < this.#noRestBefore) return;
    transport.pause();
    this.#rest = clock.after(restMs, () => {
      this.#noRestBefore = clock.monotonicMs() + restMs;
      this.#wake();
    });
    behind.whenCaughtUp(() => this.#wake());
  }

  /** For good. */
  end(): void {
    this.#rest?.cancel();
    this.#rest = undefined;
  }

  #wake(): void {
    if (this.#rest === undefined) return;
    this.end();
    this.#ports.onWake();
    if (!this.resting && !this.#blocked) this.#ports.transport.resume();
  }
}
