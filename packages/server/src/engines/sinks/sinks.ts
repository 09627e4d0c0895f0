import {
  type Clock,
  type EpochMs,
  HoldfastError,
  type Log,
  type Random,
  type Timer,
  toHoldfastError,
} from '@holdfast/kernel';
import type { Page, PageRequest, Tenant } from '@holdfast/trust/ports';
import type { MessageTap, TappedMessage } from '../../protocols/mqtt/ports.ts';
import { Delivery, type DeliveryState } from './delivery.ts';
import { FilterTrie } from './filter-trie.ts';
import { outgoingMessage } from './outgoing-message.ts';
import { SerialPeer } from './serial-peer.ts';
import { encodeSinkMessage } from './sink-message.ts';
import type { SinkPeer } from './sink-peer.ts';
import type { DeadLetter, SinkRecords } from './sink-records.ts';
import type { SinkSetting } from './sink-settings.ts';
import type { Spool } from './spool.ts';

export interface SinksPorts {
  readonly tenant: Tenant;
  readonly spool: Spool;
  readonly records: SinkRecords;
  readonly peerOf: (setting: SinkSetting) => SinkPeer;
  /** The device behind a session key; undefined for the server itself. */
  readonly deviceOf: (publisher: string) => string | undefined;
  readonly alarms: { raise(code: string, words: string): void; clear(code: string): void };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the spool on disk. */
  readonly maxBytes: number;
  /** How long what every sink has taken stays for a replay. */
  readonly retentionMs: number;
}

export interface SinkStatus extends DeliveryState {
  readonly name: string;
  readonly kind: SinkSetting['kind'];
  readonly filters: readonly string[];
  /** Spooled messages after its position, those of other sinks included. */
  readonly behind: number;
  readonly deadLetters: number;
}

export interface SpoolStatus {
  readonly bytes: number;
  readonly maxBytes: number;
  /** Offsets: the oldest kept, and behind the newest. */
  readonly start: number;
  readonly end: number;
  /** QoS 0 and server messages for which there was no room. */
  readonly dropped: number;
  /** QoS 1 and 2 messages that were refused: even the waiting room was full. */
  readonly refused: number;
  /** Publishers whose acknowledgement waits for room. */
  readonly waiting: number;
}

interface Sink {
  readonly setting: SinkSetting;
  readonly peer: SinkPeer;
  readonly delivery: Delivery;
}

interface Waiting {
  readonly record: Uint8Array;
  readonly done: (durable: boolean) => void;
}

const KIB = 1024;
const MAX_PENDING_BYTES = 8 * KIB * KIB;
const MAX_WAITING_BYTES = 16 * KIB * KIB;
const SAVE_MS = 1000;
const SWEEP_MS = 30_000;
/** A peer that is away for less is nothing an operator must know. */
const ALARM_MS = 300_000;
const PAGE = 100;

/**
 * Brings what devices say to the user's systems: spools every message a sink wants, and delivers at least once.
 *
 * A QoS 1 publisher is acknowledged when its message is on the disk. Without room it waits; a QoS 0 message, and what
 * the server itself says, is dropped and counted.
 */
export class Sinks implements MessageTap {
  readonly #ports: SinksPorts;
  readonly #wanted = new FilterTrie<string>();
  readonly #sinks = new Map<string, Sink>();
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #counts = { dropped: 0, refused: 0 };
  #freeing: Promise<void> | undefined;
  #saved = new Map<string, number>();
  #saving: Timer | undefined;
  #sweeping: Timer | undefined;
  #appended: { close(): void } | undefined;

  private constructor(ports: SinksPorts) {
    this.#ports = ports;
  }

  /** Starts every sink where it was; one that is new starts with what comes from now on. */
  static async open(ports: SinksPorts, settings: readonly SinkSetting[]): Promise<Sinks> {
    const sinks = new Sinks(ports);
    const { clock, records, spool } = ports;
    for (const setting of settings) {
      const known = await records.position(spool.id, setting.name);
      sinks.#start(setting, Math.min(known ?? spool.end, spool.end));
    }
    // A new sink that crashes before its first message must not start behind it.
    await sinks.#save();
    sinks.#appended = spool.onAppend(() => sinks.#admit());
    sinks.#sweeping = clock.every(SWEEP_MS, () => void sinks.#sweep());
    return sinks;
  }

  offer(message: TappedMessage): Promise<boolean> | undefined {
    const { clock, deviceOf, spool, tenant } = this.#ports;
    if (message.realm !== tenant || this.#wanted.match(message.topic).size === 0) return undefined;
    const { payload, properties, publisher, qos, retain, topic } = message;
    const record = encodeSinkMessage({
      topic,
      deviceId: deviceOf(publisher),
      qos,
      retain,
      at: clock.now(),
      payload,
      properties,
    });
    // What never fits must not wait for ever.
    if (record.length > Math.min(this.#ports.maxBytes / 2, MAX_PENDING_BYTES)) return this.#refuse();
    const hasRoom = this.#waiting.length === 0 && this.#hasRoom(record);
    const waits = qos > 0 && publisher !== '';
    if (hasRoom) {
      const durable = spool.append(record);
      return waits ? durable : undefined;
    }
    void this.#makeRoom();
    if (!waits) {
      this.#counts.dropped++;
      return undefined;
    }
    return this.#wait(record);
  }

  async list(): Promise<readonly SinkStatus[]> {
    return Promise.all([...this.#sinks.keys()].map((name) => this.show(name)));
  }

  /** @throws `communication.sink_unknown` */
  async show(name: string): Promise<SinkStatus> {
    const { delivery, setting } = this.#sink(name);
    const { records, spool } = this.#ports;
    const { state } = delivery;
    const { filters, kind } = setting;
    const deadLetters = await records.countDead(name);
    return { ...state, name, kind, filters, behind: Math.max(0, spool.end - state.position), deadLetters };
  }

  spool(): SpoolStatus {
    const { maxBytes, spool } = this.#ports;
    const { bytes, end, start } = spool;
    return { bytes, maxBytes, start, end, ...this.#counts, waiting: this.#waiting.length };
  }

  /**
   * Delivers again from an offset, or from a time, as far back as the spool reaches.
   *
   * @throws `communication.sink_unknown`
   */
  async replay(name: string, from: { readonly offset: number } | { readonly since: EpochMs }): Promise<SinkStatus> {
    const { delivery } = this.#sink(name);
    const { spool } = this.#ports;
    const offset = 'offset' in from ? from.offset : await spool.offsetAt(from.since);
    delivery.seek(Math.min(Math.max(offset, spool.start), spool.end));
    return this.show(name);
  }

  /** @throws `communication.sink_unknown` */
  deadLetters(name: string, page: PageRequest): Promise<Page<DeadLetter>> {
    this.#sink(name);
    return this.#ports.records.deadLetters(name, page);
  }

  /** Sends dead letters once more, oldest first, until the peer does not take one. @throws `communication.sink_unknown` */
  async retry(name: string): Promise<{ readonly delivered: number; readonly left: number }> {
    const { delivery, peer } = this.#sink(name);
    const { records } = this.#ports;
    let delivered = 0;
    let taken = true;
    for (let after: string | undefined; taken; ) {
      const page = await records.deadLetters(name, { limit: Math.min(PAGE, peer.maxMessages), after });
      const batch = await this.#exhume(name, page.rows);
      const verdict = batch.length === 0 ? undefined : await peer.send(batch, new AbortController().signal);
      taken = page.rows.length > 0 && (verdict === undefined || verdict.kind === 'taken');
      if (!taken) break;
      await records.forget(
        name,
        batch.map(({ id }) => id),
      );
      delivered += batch.length;
      after = page.rows.at(-1)?.id;
    }
    if (delivered > 0) delivery.hurry();
    return { delivered, left: await records.countDead(name) };
  }

  /** Forgets dead letters. @throws `communication.sink_unknown` */
  async discard(name: string): Promise<{ readonly discarded: number }> {
    this.#sink(name);
    const { records } = this.#ports;
    let discarded = 0;
    for (;;) {
      const { rows } = await records.deadLetters(name, { limit: PAGE });
      if (rows.length === 0) return { discarded };
      await records.forget(
        name,
        rows.map(({ id }) => id),
      );
      discarded += rows.length;
    }
  }

  /** Ends the deliveries; what is spooled is delivered after the next start. */
  async close(): Promise<void> {
    this.#sweeping?.cancel();
    this.#saving?.cancel();
    this.#appended?.close();
    for (const { done } of this.#waiting.splice(0)) done(false);
    for (const { delivery } of this.#sinks.values()) await delivery.close();
    await this.#freeing;
    await this.#save();
    await this.#ports.spool.close();
  }

  #start(setting: SinkSetting, position: number): void {
    const { clock, log, peerOf, random, records, spool, tenant } = this.#ports;
    const { filters, giveUpHours, name } = setting;
    const own = new FilterTrie<true>();
    for (const filter of filters) {
      this.#wanted.add(filter, name);
      own.add(filter, true);
    }
    const peer = new SerialPeer(peerOf(setting));
    const origin = { spool: spool.id, tenant };
    const delivery = new Delivery(
      {
        name,
        spool,
        peer,
        clock,
        random,
        log,
        giveUpMs: giveUpHours * 3_600_000,
        word: (message) => (own.match(message.topic).size === 0 ? undefined : outgoingMessage(message, origin)),
        bury: ({ at, deviceId, id, json, topic }, why) =>
          records.bury(
            name,
            { id, deviceId, topic, bytes: json.length, ...why, sentAt: at, diedAt: clock.now() },
            json,
          ),
        onProgress: () => this.#progressed(),
      },
      position,
    );
    this.#sinks.set(name, { setting, peer, delivery });
  }

  #sink(name: string): Sink {
    const sink = this.#sinks.get(name);
    if (sink === undefined) throw new HoldfastError('communication.sink_unknown');
    return sink;
  }

  async #exhume(name: string, letters: readonly DeadLetter[]) {
    const batch = [];
    for (const letter of letters) {
      const json = await this.#ports.records.json(name, letter);
      const { deviceId, id, sentAt, topic } = letter;
      if (json !== undefined) batch.push({ id, offset: 0, topic, deviceId, qos: 1 as const, at: sentAt, json });
    }
    return batch;
  }

  #hasRoom(record: Uint8Array): boolean {
    const { maxBytes, spool } = this.#ports;
    return spool.pendingBytes < MAX_PENDING_BYTES && spool.bytes + record.length <= maxBytes;
  }

  #wait(record: Uint8Array): Promise<boolean> {
    if (this.#waitingBytes + record.length > MAX_WAITING_BYTES) {
      return this.#refuse();
    }
    this.#waitingBytes += record.length;
    return new Promise((done) => this.#waiting.push({ record, done }));
  }

  #refuse(): Promise<boolean> {
    this.#counts.refused++;
    return Promise.resolve(false);
  }

  /** Spools those who waited, in their order, as far as there is room. */
  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next.record); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#waitingBytes -= next.record.length;
      void this.#ports.spool.append(next.record).then(next.done);
    }
  }

  #progressed(): void {
    this.#saving ??= this.#ports.clock.after(SAVE_MS, () => void this.#save());
    if (this.#waiting.length > 0) void this.#makeRoom();
  }

  /** Removes what is no longer needed, and of sinks that may lose messages what is. */
  async #makeRoom(): Promise<void> {
    const { log, maxBytes, spool } = this.#ports;
    this.#freeing ??= spool
      .trim(this.#neededFrom('wait'), () => spool.bytes + (this.#waiting[0]?.record.length ?? 0) > maxBytes * 0.9)
      .catch((error: unknown) => log.warn('the spool was not trimmed', { code: toHoldfastError(error).code }))
      .finally(() => {
        this.#freeing = undefined;
      });
    await this.#freeing;
    this.#admit();
  }

  /** Before this offset nothing is needed by sinks that must not lose anything, or by any. */
  #neededFrom(whom: 'wait' | 'any'): number {
    const needed = [...this.#sinks.values()].filter(({ setting }) => whom === 'any' || setting.onFull === 'wait');
    return Math.min(this.#ports.spool.end, ...needed.map(({ delivery }) => delivery.state.position));
  }

  async #sweep(): Promise<void> {
    const { alarms, clock, log, retentionMs, spool } = this.#ports;
    for (const [name, { delivery }] of this.#sinks) {
      const { failing } = delivery.state;
      const isLong = failing !== undefined && clock.now() - failing.since >= ALARM_MS;
      if (isLong) alarms.raise(`sink ${name}`, `sink ${name} does not take messages: ${failing.reason}`);
      else alarms.clear(`sink ${name}`);
    }
    const before = clock.now() - retentionMs;
    try {
      await spool.trim(this.#neededFrom('any'), ({ endedAt }) => endedAt < before);
    } catch (error) {
      log.warn('the spool was not trimmed', { code: toHoldfastError(error).code });
    }
  }

  async #save(): Promise<void> {
    this.#saving = undefined;
    const { log, records, spool } = this.#ports;
    const moved = new Map<string, number>();
    for (const [name, { delivery }] of this.#sinks) {
      const { position } = delivery.state;
      if (this.#saved.get(name) !== position) moved.set(name, position);
    }
    if (moved.size === 0) return;
    try {
      await records.savePositions(spool.id, moved);
      for (const [name, position] of moved) this.#saved.set(name, position);
    } catch (error) {
      // After a crash more is delivered again, nothing is lost.
      log.warn('positions of sinks were not kept', { code: toHoldfastError(error).code });
    }
  }
}
