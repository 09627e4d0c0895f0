import type { TLSSocket } from 'node:tls';
import { encodeUtf8 } from '@holdfast/kernel';
import {
  decodePacket,
  encodePublish,
  encodeSubscribe,
  FrameSplitter,
  type MqttPacket,
  REASON,
  reasonName,
} from '@holdfast/wire/mqtt';
import { until, type Waiting } from './waiting.ts';

const MAX_PACKET = 256 * 1024;
const NETWORK_MS = 15_000;

/** One connection of somebody who wants to see what the server really sends. */
export class OutsiderLine {
  readonly #socket: TLSSocket;
  readonly #waiting: Waiting;
  readonly #packets: MqttPacket[] = [];
  readonly #splitter = new FrameSplitter(MAX_PACKET);
  readonly #ended = Promise.withResolvers<void>();
  readonly #tickets: Buffer[] = [];
  #text: string | undefined;
  #isHttp = false;
  #closedAt: number | undefined;
  #reason = 'connection closed';
  #packetId = 0;
  #resumed = false;

  constructor(socket: TLSSocket, waiting: Waiting) {
    this.#socket = socket;
    this.#waiting = waiting;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.once('secureConnect', () => {
      this.#resumed = socket.isSessionReused();
    });
    socket.on('session', (ticket: Buffer) => this.#tickets.push(ticket));
    socket.on('error', (error) => {
      this.#reason = wordsOf(error);
    });
    socket.setTimeout(NETWORK_MS, () => socket.destroy());
    socket.once('close', () => {
      this.#closedAt = waiting.clock.monotonicMs();
      this.#ended.resolve();
    });
  }

  /** Whether TLS took an old session up again. */
  get resumed(): boolean {
    return this.#resumed;
  }

  get isOpen(): boolean {
    return this.#closedAt === undefined;
  }

  /** Monotonic, milliseconds; undefined while open. */
  get closedAt(): number | undefined {
    return this.#closedAt;
  }

  /** How the connection ended, in the server's words where it said something. */
  get ending(): string {
    for (const packet of this.#packets) {
      if (packet.kind === 'disconnect') return `DISCONNECT 0x${packet.reason.toString(16)}`;
    }
    return this.#reason;
  }

  /** Messages that came in, by topic. */
  get messages(): readonly string[] {
    return this.#packets.flatMap((packet) => (packet.kind === 'publish' ? [packet.topic] : []));
  }

  /** The latest session ticket; undefined while none came. */
  get ticket(): Buffer | undefined {
    return this.#tickets.at(-1);
  }

  /** The first packet of this kind; undefined when the connection ended without it. */
  next(kind: MqttPacket['kind']): Promise<MqttPacket | undefined> {
    return this.#orEnd(`${kind} packet`, () => this.#packets.find((packet) => packet.kind === kind));
  }

  firstText(): Promise<string | undefined> {
    this.#isHttp = true;
    return this.#orEnd('HTTP answer', () => this.#text);
  }

  /** What the server grants for each filter: the name of the reason. */
  async subscribe(filters: readonly string[]): Promise<readonly string[]> {
    const packetId = ++this.#packetId;
    this.#socket.write(encodeSubscribe({ packetId, subscriptions: filters.map((text) => ({ text, qos: 1 })) }, 5));
    const isAnswer = (packet: MqttPacket): boolean => packet.kind === 'suback' && packet.packetId === packetId;
    const packet = await this.#orEnd('suback', () => this.#packets.find(isAnswer));
    const reasons = packet?.kind === 'suback' ? packet.reasons : [];
    return filters.map((_, at) => grantName(reasons[at]));
  }

  /** What the server says to a QoS 1 message: the name of the reason. */
  async publish(topic: string, text: string, retain = false): Promise<string> {
    const packetId = ++this.#packetId;
    this.#socket.write(encodePublish({ topic, payload: encodeUtf8(text), qos: 1, packetId, retain }, 5));
    const isAnswer = (packet: MqttPacket): boolean => packet.kind === 'puback' && packet.packetId === packetId;
    const packet = await this.#orEnd('puback', () => this.#packets.find(isAnswer));
    return packet?.kind === 'puback' ? reasonName(packet.reason) : this.ending;
  }

  closed(): Promise<void> {
    return this.#ended.promise;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#ended.promise;
  }

  /** Waits for what `find` finds, or for the end of the connection. */
  async #orEnd<T>(what: string, find: () => T | undefined): Promise<T | undefined> {
    const found = await until<{ readonly value: T | undefined }>(
      what,
      async () => {
        const value = find();
        return value !== undefined || !this.isOpen ? { value } : undefined;
      },
      { ...this.#waiting, everyMs: 2 },
    );
    return found.value;
  }

  #receive(bytes: Buffer): void {
    if (this.#isHttp) {
      this.#text = (this.#text ?? '') + bytes.toString('latin1');
      return;
    }
    this.#splitter.push(bytes, {
      frame: (first, frame, _start, body, end) => {
        // The bytes belong to the chunk they came in.
        this.#packets.push(decodePacket(first, frame.slice(body, end), 5));
        return true;
      },
    });
  }
}

function grantName(reason: number | undefined): string {
  if (reason === undefined) return 'no answer';
  return reason <= REASON.grantedQos2 ? `granted QoS ${reason}` : reasonName(reason);
}

function wordsOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_SSL_') ? `TLS ${code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ')}` : code;
}
