import type { TLSSocket } from 'node:tls';
import type { WebSocket } from 'ws';
import type { PeerInfo, Transport, TransportEvents } from '../mqtt/index.ts';

/** RFC 6455 section 7.4.1. */
const CLOSE = { normal: 1000, unsupportedData: 1003 } as const;

/** MQTT in binary WebSocket messages, which may split and join packets as they like (MQTT 5, section 6). */
export class WebSocketTransport implements Transport {
  readonly peer: PeerInfo;
  readonly #socket: TLSSocket;
  readonly #webSocket: WebSocket;
  #ended = false;

  constructor(webSocket: WebSocket, socket: TLSSocket, peer: PeerInfo) {
    this.peer = peer;
    this.#socket = socket;
    this.#webSocket = webSocket;
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  start(events: TransportEvents): void {
    const webSocket = this.#webSocket;
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.#ended) return;
      if (isBinary) events.data(data);
      else this.#close(CLOSE.unsupportedData); // [MQTT-6.0.0-1]
    });
    this.#socket.on('drain', () => events.drained());
    // Every error is followed by `close`, which says it all; without a listener it would end the process.
    webSocket.on('error', () => undefined);
    webSocket.once('close', () => events.closed());
  }

  write(bytes: Uint8Array): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.send(bytes, { binary: true });
  }

  end(): void {
    this.#close(CLOSE.normal);
  }

  destroy(): void {
    this.#ended = true;
    this.#webSocket.on('error', () => undefined);
    this.#webSocket.terminate();
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  /** The library drops the socket when the other end does not answer in its close timeout. */
  #close(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    // A paused reader would never see the other end's answer.
    this.#webSocket.resume();
    this.#webSocket.close(code);
  }
}
