import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Clock, HoldfastError, type Timer } from '@holdfast/kernel';
import { RATCHET_USER_NAME } from '@holdfast/wire/holdfast';
import {
  decodePacket,
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  FrameSplitter,
  type MqttPacket,
  type MqttVersion,
  PINGREQ,
  type PublishPacket,
  reasonName,
} from '@holdfast/wire/mqtt';
import { connectionError, type TlsCredentials, tlsOptions } from './tls-options.ts';

export interface MqttConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: TlsCredentials;
  readonly clientId: string;
  /** 4 is MQTT 3.1.1. */
  readonly version: MqttVersion;
  readonly clean?: boolean;
  readonly keepAliveSeconds?: number;
  /** How long CONNACK, an acknowledgement or a reply may take. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

export type MessageHandler = (payload: Uint8Array, topic: string) => void;

interface Waiting {
  readonly resolve: (packet: MqttPacket) => void;
  readonly reject: (error: HoldfastError) => void;
}

const MAX_PACKET = 256 * 1024;
const SESSION_SECONDS = 3600;

/** One MQTT connection of a device: verified TLS, QoS 0 and 1, requests with direct replies. */
export class MqttConnection {
  readonly #socket: TLSSocket;
  readonly #options: Required<MqttConnectOptions>;
  readonly #splitter = new FrameSplitter(MAX_PACKET);
  readonly #handlers = new Map<string, Set<MessageHandler>>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #busy = new Map<string, Promise<unknown>>();
  readonly #timers: Timer[] = [];
  readonly #closed = Promise.withResolvers<HoldfastError>();
  #nextPacketId = 1;
  #end: HoldfastError | undefined;
  #answered = true;

  /**
   * Connects and waits for CONNACK.
   *
   * @throws `device.server_untrusted`, `device.connection_refused`, `device.connection_lost`, `device.no_answer`
   */
  static async open(options: MqttConnectOptions, signal?: AbortSignal): Promise<MqttConnection> {
    const connection = new MqttConnection(options);
    const stop = (): void => connection.#finish(new HoldfastError('kernel.aborted'));
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      await connection.#handshake();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  private constructor(options: MqttConnectOptions) {
    this.#options = { clean: false, keepAliveSeconds: 60, timeoutMs: 10_000, ...options };
    const { host, port, credentials } = options;
    this.#socket = connectTls({ host, port, ...tlsOptions(credentials, host) });
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#finish(connectionError(error)));
    this.#socket.on('close', () => this.#finish(new HoldfastError('device.connection_lost', { reason: 'closed' })));
  }

  /** Resolves with the reason once the connection has ended; never rejects. */
  get closed(): Promise<HoldfastError> {
    return this.#closed.promise;
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** Hears every message on exactly this topic until the returned function is called. */
  listen(topic: string, handler: MessageHandler): () => void {
    const handlers = this.#handlers.get(topic) ?? new Set();
    this.#handlers.set(topic, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** @throws `device.request_rejected` when a filter is refused */
  async subscribe(topics: readonly string[], qos: 0 | 1 = 1): Promise<void> {
    const packetId = this.#packetId();
    const subscriptions = topics.map((text) => ({ text, qos }));
    const bytes = encodeSubscribe({ packetId, subscriptions }, this.#options.version);
    const packet = await this.#await(`suback ${packetId}`, bytes);
    if (packet.kind === 'suback' && packet.reasons.some((reason) => reason >= 0x80)) {
      throw new HoldfastError('device.request_rejected', { reason: 'subscribe' });
    }
  }

  /** At QoS 1 waits for the acknowledgement. @throws `device.request_rejected` when the server refuses the message */
  async publish(topic: string, payload: Uint8Array, qos: 0 | 1 = 1): Promise<void> {
    const { version } = this.#options;
    if (qos === 0) {
      this.#send(encodePublish({ topic, payload, qos }, version));
      return;
    }
    const packetId = this.#packetId();
    const packet = await this.#await(`puback ${packetId}`, encodePublish({ topic, payload, qos, packetId }, version));
    if (packet.kind === 'puback' && packet.reason >= 0x80) {
      throw new HoldfastError('device.request_rejected', { reason: reasonName(packet.reason) });
    }
  }

  /**
   * Publishes a request and waits for its reply, which the server sends to the asker without a subscription.
   * Requests with the same reply topic wait for each other.
   *
   * @param readRejection - turns a rejection's payload into details of the error
   * @throws `device.request_rejected`, `device.no_answer`, and why the connection ended
   */
  async request(exchange: MqttExchange): Promise<Uint8Array> {
    const before = this.#busy.get(exchange.accepted);
    const turn = (async () => {
      await before?.catch(() => undefined);
      return this.#exchange(exchange);
    })();
    this.#busy.set(exchange.accepted, turn);
    return turn;
  }

  /** Ends the connection with DISCONNECT. */
  close(): void {
    if (this.#end === undefined && this.#socket.writable) {
      this.#socket.write(encodeReasonPacket({ kind: 'disconnect' }, this.#options.version));
    }
    this.#finish(new HoldfastError('kernel.aborted'));
  }

  /** Ends the connection as a loss of power would. */
  destroy(): void {
    this.#finish(new HoldfastError('device.connection_lost', { reason: 'power' }));
  }

  async #handshake(): Promise<void> {
    const { version, clientId, clean, keepAliveSeconds, clock, credentials } = this.#options;
    const password = credentials.proof?.();
    const properties = version === 5 && !clean ? { sessionExpiryInterval: SESSION_SECONDS } : {};
    const bytes = encodeConnect({
      version,
      clean,
      keepAlive: keepAliveSeconds,
      clientId,
      properties,
      will: undefined,
      userName: password === undefined ? undefined : RATCHET_USER_NAME,
      password,
    });
    const packet = await this.#await('connack', bytes);
    if (packet.kind !== 'connack') throw new HoldfastError('device.connection_refused', { reason: packet.kind });
    if (packet.reason !== 0) throw new HoldfastError('device.connection_refused', { reason: packet.reason });
    this.#timers.push(clock.every((keepAliveSeconds * 1000) / 2, () => this.#ping()));
  }

  async #exchange({ topic, payload, accepted, rejected, readRejection }: MqttExchange): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const stopAccepted = this.listen(accepted, (reply) => resolve(reply));
    const stopRejected = this.listen(rejected, (reply) => {
      const code = readRejection?.(reply);
      reject(new HoldfastError('device.request_rejected', code === undefined ? {} : { code }));
    });
    const { timer, expired } = this.#limit();
    try {
      const lost = this.closed.then((error) => Promise.reject(error));
      await Promise.race([this.publish(topic, payload, 1), promise, expired, lost]);
      return await Promise.race([promise, expired, lost]);
    } finally {
      timer.cancel();
      stopAccepted();
      stopRejected();
    }
  }

  /** Sends and waits for the packet that answers. */
  async #await(key: string, bytes: Uint8Array): Promise<MqttPacket> {
    const { promise, resolve, reject } = Promise.withResolvers<MqttPacket>();
    this.#waiting.set(key, { resolve, reject });
    const { timer, expired } = this.#limit();
    try {
      this.#send(bytes);
      return await Promise.race([promise, expired]);
    } finally {
      timer.cancel();
      this.#waiting.delete(key);
    }
  }

  #limit(): { readonly timer: Timer; readonly expired: Promise<never> } {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    const timer = this.#options.clock.after(this.#options.timeoutMs, () =>
      reject(new HoldfastError('device.no_answer')),
    );
    return { timer, expired: promise };
  }

  #send(bytes: Uint8Array): void {
    if (this.#end !== undefined) throw this.#end;
    this.#socket.write(bytes);
  }

  #receive(chunk: Uint8Array): void {
    const { version } = this.#options;
    try {
      this.#splitter.push(chunk, {
        frame: (first, bytes, _start, body, end) => {
          this.#take(decodePacket(first, bytes.subarray(body, end), version));
          return this.#end === undefined;
        },
      });
    } catch (error) {
      this.#finish(connectionError(error));
    }
  }

  #take(packet: MqttPacket): void {
    this.#answered = true;
    if (packet.kind === 'publish') this.#deliver(packet);
    else if (packet.kind === 'connack') this.#waiting.get('connack')?.resolve(packet);
    else if (packet.kind === 'disconnect') {
      this.#finish(new HoldfastError('device.connection_refused', { reason: reasonName(packet.reason) }));
    } else if ('packetId' in packet) this.#waiting.get(`${packet.kind} ${packet.packetId}`)?.resolve(packet);
  }

  #deliver({ topic, payload, qos, packetId }: PublishPacket): void {
    if (qos === 1) this.#send(encodeAck({ kind: 'puback', packetId }, this.#options.version));
    // The bytes belong to the chunk they came in.
    const own = payload.slice();
    for (const handler of this.#handlers.get(topic) ?? []) handler(own, topic);
  }

  #ping(): void {
    if (!this.#answered) {
      this.#finish(new HoldfastError('device.connection_lost', { reason: 'keep-alive' }));
      return;
    }
    this.#answered = false;
    this.#socket.write(PINGREQ);
  }

  #packetId(): number {
    const id = this.#nextPacketId;
    this.#nextPacketId = id === 0xffff ? 1 : id + 1;
    return id;
  }

  #finish(reason: HoldfastError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    for (const timer of this.#timers) timer.cancel();
    for (const { reject } of this.#waiting.values()) reject(reason);
    if (reason.code === 'kernel.aborted') this.#socket.end();
    this.#socket.destroySoon();
    this.#closed.resolve(reason);
  }
}

/** A request and where its answers come. */
export interface MqttExchange {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly accepted: string;
  readonly rejected: string;
  /** The code in a rejection's payload. */
  readonly readRejection?: (payload: Uint8Array) => string;
}
