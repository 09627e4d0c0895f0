import { concatBytes } from '@holdfast/kernel';
import type { PeerInfo, Transport, TransportEvents } from '../ports.ts';

/** A transport whose other end is the test: what the core writes is gathered, what the test sends arrives at once. */
export class PipeTransport implements Transport {
  readonly peer: PeerInfo;
  bufferedBytes = 0;
  paused = false;
  /** The core ended it, or the test did. */
  ended = false;
  #events: TransportEvents | undefined;
  #received: Uint8Array[] = [];
  #held: Uint8Array[] = [];

  constructor(peer: PeerInfo = { address: 'pipe', identity: undefined }) {
    this.peer = peer;
  }

  start(events: TransportEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array): void {
    if (!this.ended) this.#received.push(bytes);
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.ended = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.send(chunk);
  }

  /** The client sends. */
  send(bytes: Uint8Array): void {
    if (this.ended) return;
    if (this.paused) this.#held.push(bytes);
    else this.#events?.data(bytes);
  }

  /** The client vanishes. */
  drop(): void {
    this.ended = true;
    this.#events?.closed();
  }

  /** What was unsent has left. */
  drain(): void {
    this.bufferedBytes = 0;
    this.#events?.drained();
  }

  /** What the client received since it last asked. */
  take(): Uint8Array {
    const bytes = concatBytes(...this.#received);
    this.#received = [];
    return bytes;
  }
}
