import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  type AckName,
  type ConnackPacket,
  decodePacket,
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  encodeUnsubscribe,
  FrameSplitter,
  type MqttPacket,
  type MqttProperties,
  type MqttVersion,
  type PublishPacket,
  type SubackPacket,
  type SubscribeEntry,
} from '@holdfast/wire/mqtt';
import { type ConnectOptions, connectPacket } from './test-core.ts';

type PublishFields = Parameters<typeof encodePublish>[0];

const PATIENCE_MS = 5_000;

/** A client on a real socket that acknowledges what it gets, as a library would, unless told to hold back. */
export class SocketClient {
  readonly version: MqttVersion;
  /** Every PUBLISH so far. */
  readonly messages: PublishPacket[] = [];
  /** Everything else so far. */
  readonly control: MqttPacket[] = [];
  /** False: messages stay unacknowledged. */
  acknowledges = true;
  closed = false;
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter(300_000_000);
  #wake = (): void => undefined;
  #lastPacketId = 0;

  private constructor(socket: Socket, version: MqttVersion) {
    this.#socket = socket;
    this.version = version;
    socket.on('data', (chunk: Uint8Array) => this.#hear(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  static async open(port: number, version: MqttVersion): Promise<SocketClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new SocketClient(socket, version);
  }

  /** A client with its CONNACK. */
  static async connected(
    port: number,
    clientId: string,
    options: ConnectOptions = {},
  ): Promise<{ client: SocketClient; connack: ConnackPacket }> {
    const client = await SocketClient.open(port, options.version ?? 5);
    return { client, connack: await SocketClient.greet(client, clientId, options) };
  }

  static async greet(client: SocketClient, clientId: string, options: ConnectOptions = {}): Promise<ConnackPacket> {
    client.write(encodeConnect(connectPacket(clientId, { version: client.version, ...options })));
    return client.answer('connack');
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Waits for the first packet of a kind that is not a message, and takes it away. */
  async answer<K extends MqttPacket['kind']>(kind: K): Promise<Extract<MqttPacket, { readonly kind: K }>> {
    const find = () => this.control.findIndex((packet) => packet.kind === kind);
    await this.until(() => find() >= 0);
    const [packet] = this.control.splice(find(), 1);
    return packet as Extract<MqttPacket, { readonly kind: K }>;
  }

  /** Waits until something is so; fails after five seconds. */
  async until(isSo: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while (!isSo()) {
      if (deadline.aborted)
        throw new Error(`nothing came: ${JSON.stringify({ messages: this.messages.length, control: this.control })}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** Waits for so many messages, in all. */
  async received(count: number): Promise<readonly PublishPacket[]> {
    await this.until(() => this.messages.length >= count);
    return this.messages;
  }

  /** After this everything the server had to say before has come: it answers in order. */
  async settled(): Promise<void> {
    this.write(Uint8Array.of(0xc0, 0));
    await this.answer('pingresp');
  }

  async subscribe(entries: readonly SubscribeEntry[], properties: MqttProperties = {}): Promise<SubackPacket> {
    this.write(encodeSubscribe({ packetId: this.#nextId(), subscriptions: entries, properties }, this.version));
    return this.answer('suback');
  }

  async unsubscribe(...filters: readonly string[]): Promise<SubackPacket> {
    this.write(encodeUnsubscribe({ packetId: this.#nextId(), filters }, this.version));
    return this.answer('unsuback');
  }

  /** Publishes and waits for the whole exchange. */
  async publish(topic: string, text: string, fields: Partial<PublishFields> = {}): Promise<void> {
    const { qos = 0 } = fields;
    const packetId = qos === 0 ? 0 : this.#nextId();
    this.write(encodePublish({ topic, payload: Buffer.from(text), ...fields, packetId }, this.version));
    if (qos === 1) await this.answer('puback');
    if (qos !== 2) return;
    await this.answer('pubrec');
    this.acknowledge('pubrel', packetId);
    await this.answer('pubcomp');
  }

  acknowledge(kind: AckName, packetId: number): void {
    this.write(encodeAck({ kind, packetId }, this.version));
  }

  /** Says goodbye and waits for the end. */
  async disconnect(reason = 0, properties: MqttProperties = {}): Promise<void> {
    this.write(encodeReasonPacket({ kind: 'disconnect', reason, properties }, this.version));
    await this.until(() => this.closed);
  }

  /** Vanishes without a word. */
  drop(): void {
    this.#socket.destroy();
  }

  #nextId(): number {
    this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    return this.#lastPacketId;
  }

  #hear(chunk: Uint8Array): void {
    this.#splitter.push(chunk, {
      frame: (first, bytes, _start, body, end) => {
        this.#take(decodePacket(first, bytes.slice(body, end), this.version));
        return true;
      },
    });
    this.#wake();
  }

  #take(packet: MqttPacket): void {
    if (packet.kind === 'publish') {
      this.messages.push(packet);
      if (this.acknowledges && packet.qos > 0)
        this.acknowledge(packet.qos === 1 ? 'puback' : 'pubrec', packet.packetId);
    } else if (packet.kind === 'pubrel' && this.acknowledges) {
      this.acknowledge('pubcomp', packet.packetId);
    } else {
      this.control.push(packet);
    }
  }
}

/** What messages say, in words. */
export function told(messages: readonly PublishPacket[]): string[] {
  return messages.map(({ payload }) => Buffer.from(payload).toString());
}
