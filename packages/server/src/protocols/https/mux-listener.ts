import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Clock } from '@holdfast/kernel';
import { ADMISSION_LIMITS, MQTT_ALPN, type MqttEntrance, TlsDoor, WebSocketDoor } from '../gateway/index.ts';
import { HTTPS_ALPN } from './device-http.ts';
import type { DeviceListenerOptions } from './device-listener.ts';

export interface MuxListenerOptions extends DeviceListenerOptions {
  readonly entrance: MqttEntrance;
}

type Spoken = 'mqtt' | 'http';

/** The first byte of CONNECT, the only packet MQTT may begin with [MQTT-3.1.0-1]. */
const CONNECT_BYTE = 0x10;

const BY_NAME: ReadonlyMap<string, Spoken> = new Map([
  ...MQTT_ALPN.map((name) => [name, 'mqtt'] as const),
  ...HTTPS_ALPN.map((name) => [name, 'http'] as const),
]);

/**
 * MQTT and device HTTPS on one port, which firewalls let through as 443: the application protocol of TLS decides, or
 * the first byte where a client names none.
 */
export class MuxListener {
  readonly #options: MuxListenerOptions;
  readonly #door: TlsDoor;
  readonly #webSockets: WebSocketDoor;

  constructor(options: MuxListenerOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketDoor(options.entrance);
    const { http: _http, entrance: _entrance, ...rest } = options;
    this.#door = new TlsDoor({
      ...rest,
      name: 'mux',
      alpn: [...BY_NAME.keys()],
      makeServer: (tls) => createTlsServer(tls, (socket) => this.#connected(socket)),
    });
  }

  get door(): TlsDoor {
    return this.#door;
  }

  /** @returns the port in use. */
  listen(): Promise<number> {
    return this.#door.listen();
  }

  async close(): Promise<void> {
    await this.#options.entrance.close();
    await this.#door.close();
  }

  #connected(socket: TLSSocket): void {
    this.#door.shaken(socket);
    const named = typeof socket.alpnProtocol === 'string' ? BY_NAME.get(socket.alpnProtocol) : undefined;
    if (named !== undefined) {
      this.#take(named, socket);
      return;
    }
    const { clock, limits } = this.#options;
    const deadlineMs = limits?.firstByteMs ?? ADMISSION_LIMITS.firstByteMs;
    awaitFirstByte(socket, { clock, deadlineMs }, (first) => this.#take(spokenBy(first), socket));
  }

  #take(spoken: Spoken | undefined, socket: TLSSocket): void {
    if (spoken === 'mqtt') this.#options.entrance.take(socket);
    else if (spoken === 'http') this.#options.http.take(socket, this.#webSockets);
    else socket.destroy();
  }
}

/** A method of HTTP is letters, and those that are served are upper case (RFC 9110 section 9.1). */
function spokenBy(first: number): Spoken | undefined {
  if (first === CONNECT_BYTE) return 'mqtt';
  return first >= 0x41 && first <= 0x5a ? 'http' : undefined;
}

/** Looks at the first byte and leaves it unread; a peer that says nothing in time is dropped. */
function awaitFirstByte(
  socket: TLSSocket,
  { clock, deadlineMs }: { readonly clock: Clock; readonly deadlineMs: number },
  then: (first: number) => void,
): void {
  const deadline = clock.after(deadlineMs, () => socket.destroy());
  const read = () => {
    const chunk = socket.read() as Buffer | null;
    const [first] = chunk ?? [];
    if (chunk === null || first === undefined) return;
    deadline.cancel();
    socket.off('readable', read);
    socket.unshift(chunk);
    then(first);
  };
  socket.on('error', () => socket.destroy());
  socket.once('close', () => deadline.cancel());
  socket.on('readable', read);
}
