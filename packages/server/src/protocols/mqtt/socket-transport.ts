import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers';
import type { Clock } from '@holdfast/kernel';
import type { PeerInfo, Transport, TransportEvents, Turn } from './ports.ts';

/** The end of a turn of the event loop: after the sockets that are readable have been read. */
export const eventLoopTurn: Turn = {
  defer(action) {
    setImmediate(action);
  },
};

/** A TCP or TLS socket as a transport. */
export class SocketTransport implements Transport {
  readonly peer: PeerInfo;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #lingerMs: number;
  #ended = false;

  constructor(socket: Socket, options: { readonly peer: PeerInfo; readonly clock: Clock; readonly lingerMs: number }) {
    this.#socket = socket;
    this.peer = options.peer;
    this.#clock = options.clock;
    this.#lingerMs = options.lingerMs;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  start(events: TransportEvents): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => {
      if (!this.#ended) events.data(chunk);
    });
    socket.on('drain', () => events.drained());
    // Every error is followed by `close`, which says it all; without a listener it would end the process.
    socket.on('error', () => undefined);
    socket.once('close', () => events.closed());
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.end();
    // What still comes is read and dropped: unread input would turn the close into a reset that loses our last words.
    socket.resume();
    const linger = this.#clock.after(this.#lingerMs, () => socket.destroy());
    socket.once('close', () => linger.cancel());
  }

  destroy(): void {
    this.#ended = true;
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}
