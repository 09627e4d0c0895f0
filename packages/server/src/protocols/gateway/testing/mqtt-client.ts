import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { systemClock } from '@holdfast/kernel';
import {
  decodePacket,
  encodeConnect,
  encodePublish,
  encodeSubscribe,
  FrameSplitter,
  type MqttPacket,
  type MqttProperties,
  type MqttVersion,
  NO_PROPERTIES,
} from '@holdfast/wire/mqtt';
import type { Issued } from '../../../testing/test-authority.ts';

export interface ConnectOptions {
  readonly port: number;
  readonly ca: string;
  readonly issued: Issued | undefined;
  readonly clientId: string;
  readonly version?: MqttVersion;
  readonly clean?: boolean;
  /** Seconds. */
  readonly expiry?: number;
  readonly will?: { readonly topic: string; readonly retain?: boolean; readonly properties?: MqttProperties };
  readonly userName?: string;
  readonly password?: Uint8Array;
  readonly tls?: ConnectionOptions;
  /** Puts a framing of its own between TLS and MQTT. */
  readonly through?: (socket: TLSSocket) => Duplex;
}

const POLL_MS = 2;

/** A raw MQTT client over TLS that keeps every packet it gets. */
export class MqttClient {
  readonly socket: TLSSocket;
  readonly packets: MqttPacket[] = [];
  readonly closed: Promise<true>;
  /** The last TLS session ticket. */
  ticket: Buffer | undefined;
  readonly #stream: Duplex;
  readonly #version: MqttVersion;
  #lastId = 0;

  private constructor(socket: TLSSocket, stream: Duplex, version: MqttVersion) {
    this.socket = socket;
    this.#stream = stream;
    this.#version = version;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve(true));
    });
    const splitter = new FrameSplitter(1_000_000);
    const sink = {
      frame: (first: number, bytes: Uint8Array, _start: number, body: number, end: number) => {
        this.packets.push(decodePacket(first, bytes.slice(body, end), version));
        return true;
      },
    };
    socket.on('error', () => undefined);
    socket.on('session', (ticket) => {
      this.ticket = ticket;
    });
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => splitter.push(chunk, sink));
  }

  /** Connects and waits for CONNACK or the end. */
  static async open(options: ConnectOptions): Promise<MqttClient> {
    const { ca, clientId, expiry, issued, port, will } = options;
    const version = options.version ?? 5;
    const own = issued === undefined ? {} : { key: issued.keyPem, cert: issued.pem };
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca, ...own, ...options.tls });
    const client = new MqttClient(socket, options.through?.(socket) ?? socket, version);
    client.#stream.write(
      encodeConnect({
        version,
        clean: options.clean ?? true,
        keepAlive: 60,
        clientId,
        will:
          will === undefined
            ? undefined
            : { payload: Buffer.from('will'), qos: 0, retain: false, properties: NO_PROPERTIES, ...will },
        userName: options.userName,
        password: options.password,
        properties: version === 5 && expiry !== undefined ? { sessionExpiryInterval: expiry } : NO_PROPERTIES,
      }),
    );
    await client.until((packet) => packet.kind === 'connack');
    return client;
  }

  /** CONNACK reason (MQTT 5) or return code (3.1.1); undefined when there was none. */
  get connack(): number | undefined {
    return this.#find('connack')?.reason;
  }

  /** DISCONNECT reason; undefined when there was none. */
  get disconnect(): number | undefined {
    return this.#find('disconnect')?.reason;
  }

  /** Topics of what was delivered. */
  get delivered(): readonly string[] {
    return this.packets.flatMap((packet) => (packet.kind === 'publish' ? [packet.topic] : []));
  }

  /** Waits for a packet, or for the end of the connection. */
  async until(matches: (packet: MqttPacket) => boolean): Promise<MqttPacket | undefined> {
    for (;;) {
      const found = this.packets.find(matches);
      if (found !== undefined || this.socket.destroyed) return found;
      await pause(POLL_MS);
    }
  }

  /** @returns the SUBACK reason; undefined when the connection ended. */
  async subscribe(filter: string, qos: 0 | 1 = 0): Promise<number | undefined> {
    const packetId = ++this.#lastId;
    const entry = { text: filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.#stream.write(encodeSubscribe({ packetId, subscriptions: [entry] }, this.#version));
    const answer = await this.until((packet) => packet.kind === 'suback' && packet.packetId === packetId);
    return answer?.kind === 'suback' ? answer.reasons[0] : undefined;
  }

  /** Writes a packet of the test's own making. */
  send(packet: Uint8Array): void {
    this.#stream.write(packet);
  }

  publish(topic: string, retain = false): void {
    this.#stream.write(encodePublish({ topic, payload: Buffer.from('x'), retain }, this.#version));
  }

  /** @returns the PUBACK reason; undefined when the connection ended. */
  async publishOnce(topic: string, retain = false, payload = 'x'): Promise<number | undefined> {
    const packetId = ++this.#lastId;
    this.#stream.write(
      encodePublish({ topic, payload: Buffer.from(payload), qos: 1, retain, packetId }, this.#version),
    );
    const answer = await this.until((packet) => packet.kind === 'puback' && packet.packetId === packetId);
    return answer?.kind === 'puback' ? answer.reason : undefined;
  }

  #find(kind: 'connack' | 'disconnect'): Extract<MqttPacket, { reason: number }> | undefined {
    const found = this.packets.find((packet) => packet.kind === kind);
    return found !== undefined && 'reason' in found ? found : undefined;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(ms, resolve);
  });
}
