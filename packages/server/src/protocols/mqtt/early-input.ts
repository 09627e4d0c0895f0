import type { Transport } from './ports.ts';

/** What a client sends before it knows whether it is welcome: held, and read no further than a limit. */
export class EarlyInput {
  readonly #transport: Transport;
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(transport: Transport, limit: number) {
    this.#transport = transport;
    this.#limit = limit;
  }

  hold(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limit) this.#transport.pause();
  }

  /** Gives what was held to `read`, in order; then reading goes on. */
  release(read: (chunk: Uint8Array) => void): void {
    const chunks = this.#chunks;
    const paused = this.#bytes > this.#limit;
    this.#chunks = [];
    this.#bytes = 0;
    for (const chunk of chunks) read(chunk);
    if (paused) this.#transport.resume();
  }
}
