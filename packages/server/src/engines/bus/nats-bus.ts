import type * as NatsModule from '@nats-io/transport-node';
import type { ConnectionOptions, Msg, NatsConnection } from '@nats-io/transport-node';
import { type Clock, encodeUtf8, type Log, type Timer } from '@holdfast/kernel';
import type { Bus, BusListener, BusResponder, BusState } from './bus.ts';
import type { NatsAddress } from './nats-address.ts';

export interface NatsBusOptions {
  readonly address: NatsAddress;
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
}

type Nats = Pick<typeof NatsModule, 'connect' | 'credsAuthenticator'>;

/** How long a start waits for the bus; it goes on without, and says so. */
const FIRST_WAIT_MS = 3_000;
const RETRY_MS = 500;
const TIMEOUT_MS = 3_000;
/** A server that does not answer two of them is gone. */
const PING_MS = 2_000;
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
const FLUSH_EVERY_BYTES = 256 * 1024;
const DEFAULT_MAX_BYTES = 1_048_576;

/** The bus as NATS core subjects; it reconnects for ever, and drops what is said meanwhile. */
export class NatsBus implements Bus {
  readonly #options: NatsBusOptions;
  readonly #nats: Nats;
  readonly #subscriptions: ((connection: NatsConnection) => void)[] = [];
  readonly #listeners = new Set<(up: boolean) => void>();
  #connection: NatsConnection | undefined;
  #retry: Timer | undefined;
  #up = false;
  #closed = false;
  #dropped = 0;
  #unsentBytes = 0;
  #unflushedBytes = 0;

  private constructor(options: NatsBusOptions, nats: Nats) {
    this.#options = options;
    this.#nats = nats;
  }

  static async open(options: NatsBusOptions): Promise<NatsBus> {
    const bus = new NatsBus(options, await import('@nats-io/transport-node'));
    const waited = new Promise<void>((resolve) => {
      options.clock.after(FIRST_WAIT_MS, resolve);
    });
    await Promise.race([bus.#connect(), waited]);
    return bus;
  }

  get state(): BusState {
    return { up: this.#up, dropped: this.#dropped };
  }

  get maxBytes(): number {
    return this.#connection?.info?.max_payload ?? DEFAULT_MAX_BYTES;
  }

  publish(subject: string, bytes: Uint8Array): void {
    const connection = this.#connection;
    if (!this.#up || connection === undefined || bytes.length > this.maxBytes || this.#unsentBytes > MAX_UNSENT_BYTES) {
      this.#dropped++;
      return;
    }
    connection.publish(subject, bytes);
    this.#unsentBytes += bytes.length;
    this.#unflushedBytes += bytes.length;
    if (this.#unflushedBytes >= FLUSH_EVERY_BYTES) this.#flush(connection);
  }

  subscribe(subject: string, listener: BusListener): void {
    this.#add((connection) => {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) listener(message.data);
        },
      });
    });
  }

  respond(subject: string, responder: BusResponder): void {
    this.#add((connection) => {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) void answer(message, responder);
        },
      });
    });
  }

  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array | undefined> {
    if (!this.#up || this.#connection === undefined) return undefined;
    try {
      return (await this.#connection.request(subject, bytes, { timeout: timeoutMs })).data;
    } catch {
      return undefined;
    }
  }

  onChange(listener: (up: boolean) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    const connection = this.#connection;
    this.#up = false;
    await connection?.flush().catch(() => undefined);
    await connection?.close().catch(() => undefined);
  }

  #add(subscribe: (connection: NatsConnection) => void): void {
    this.#subscriptions.push(subscribe);
    if (this.#connection !== undefined) subscribe(this.#connection);
  }

  /** Bytes count as unsent until the server answered what was sent after them. */
  #flush(connection: NatsConnection): void {
    const bytes = this.#unflushedBytes;
    this.#unflushedBytes = 0;
    void (async () => {
      await connection.flush().catch(() => undefined);
      this.#unsentBytes -= bytes;
    })();
  }

  async #connect(): Promise<void> {
    this.#retry = undefined;
    const { clock, log } = this.#options;
    try {
      const connection = await this.#nats.connect(this.#settings());
      this.#connection = connection;
      for (const subscribe of this.#subscriptions) subscribe(connection);
      void this.#watch(connection);
      this.#change(true);
      if (this.#closed) await this.close();
    } catch (error) {
      log.debug('the bus does not answer', { error: String(error) });
      if (!this.#closed) this.#retry = clock.after(RETRY_MS, () => void this.#connect());
    }
  }

  #settings(): ConnectionOptions {
    const { login, servers, tls } = this.#options.address;
    return {
      servers: [...servers],
      name: this.#options.name,
      timeout: TIMEOUT_MS,
      noEcho: true,
      // Servers tell of others by address, and no name in a certificate would be checked there.
      ignoreClusterUpdates: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RETRY_MS,
      reconnectJitter: RETRY_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
      ...(tls === false ? {} : { tls: tls.ca === undefined ? {} : { ca: tls.ca } }),
      ...(login?.kind === 'token' ? { token: login.token } : {}),
      ...(login?.kind === 'user' ? { user: login.user, pass: login.password } : {}),
      ...(login?.kind === 'creds' ? { authenticator: this.#nats.credsAuthenticator(encodeUtf8(login.text)) } : {}),
    };
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect' || type === 'staleConnection') this.#change(false);
      if (type === 'reconnect') this.#change(true);
    }
    this.#change(false);
    // Closed for good, as after a login that was refused: begun anew, since what is wrong may be put right.
    if (this.#closed) return;
    this.#connection = undefined;
    this.#retry ??= this.#options.clock.after(RETRY_MS, () => void this.#connect());
  }

  #change(up: boolean): void {
    if (this.#up === up || (this.#closed && up)) return;
    this.#up = up;
    this.#unsentBytes = 0;
    this.#unflushedBytes = 0;
    for (const listener of this.#listeners) listener(up);
  }
}

async function answer(message: Msg, responder: BusResponder): Promise<void> {
  try {
    message.respond(await responder(message.data));
  } catch {
    // Whoever asked waits in vain, and goes on without an answer.
  }
}
