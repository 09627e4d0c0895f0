import { type Clock, type EpochMs, HoldfastError, type Log, type Random, toHoldfastError } from '@holdfast/kernel';
import type { OutgoingMessage, SinkPeer, SinkVerdict } from './sink-peer.ts';
import type { SpooledMessage } from './sink-message.ts';
import type { SpoolReader } from './spool-reader.ts';

/** The part of the spool a delivery needs. */
interface DeliverySpool {
  readonly start: number;
  readonly end: number;
  reader(from: number): SpoolReader;
  onAppend(listener: () => void): { close(): void };
}

export interface DeliveryPorts {
  readonly name: string;
  readonly spool: DeliverySpool;
  readonly peer: SinkPeer;
  /** Undefined when the sink does not want it. */
  readonly word: (message: SpooledMessage) => OutgoingMessage | undefined;
  /** Keeps a message the peer did not take; a rejection means that it is tried again. */
  readonly bury: (
    message: OutgoingMessage,
    why: { readonly attempts: number; readonly reason: string },
  ) => Promise<void>;
  /** How far the sink has come: nothing before it is needed any more. */
  readonly onProgress: (position: number) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long a peer may be away before its messages are given up. */
  readonly giveUpMs: number;
}

export interface DeliveryState {
  /** Offset of the next message. */
  readonly position: number;
  readonly delivered: number;
  readonly buried: number;
  /** Messages that were removed before the sink came to them. */
  readonly skipped: number;
  readonly lastDeliveredAt: EpochMs | undefined;
  /** Since when nothing is taken, and why. */
  readonly failing: { readonly since: EpochMs; readonly reason: string; readonly attempts: number } | undefined;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
const LONGEST_ASKED_MS = 3_600_000;
const MAX_BATCH_BYTES = 512 * 1024;
/** A peer that refuses, rather than being away, is asked this often: its rules may be wrong for a moment. */
const REFUSALS = 3;

/**
 * Brings the spool to one peer: one batch at a time, so that the order of each device is kept; at least once.
 *
 * A batch the peer refuses is halved until the message it does not want stands alone and is buried.
 */
export class Delivery {
  readonly #ports: DeliveryPorts;
  readonly #abort = new AbortController();
  readonly #listener: { close(): void };
  #reader: SpoolReader | undefined;
  /** Read and not yet taken; those the sink does not want are undefined. */
  #waiting: { readonly offset: number; readonly message: OutgoingMessage | undefined }[] = [];
  #limit: number;
  #position: number;
  #counts = { delivered: 0, buried: 0, skipped: 0 };
  #lastDeliveredAt: EpochMs | undefined;
  #failing: DeliveryState['failing'];
  /** Ends a rest that waits for messages. */
  #wake: (() => void) | undefined;
  /** Ends any rest. */
  #cut: (() => void) | undefined;
  #appends = 0;
  readonly #running: Promise<void>;
  /** Set by a replay: what is under way belongs to the past. */
  #jump: number | undefined;

  constructor(ports: DeliveryPorts, position: number) {
    this.#ports = ports;
    this.#position = position;
    this.#limit = ports.peer.maxMessages;
    this.#listener = ports.spool.onAppend(() => {
      this.#appends++;
      this.#wake?.();
    });
    this.#running = this.#run();
  }

  get state(): DeliveryState {
    const { delivered, buried, skipped } = this.#counts;
    const position = this.#jump ?? this.#position;
    return { position, delivered, buried, skipped, lastDeliveredAt: this.#lastDeliveredAt, failing: this.#failing };
  }

  /** Goes on from another offset; what was delivered since then comes again, under the same identities. */
  seek(position: number): void {
    this.#jump = position;
    this.#cut?.();
  }

  /** Tries again now instead of at the end of the pause. */
  hurry(): void {
    this.#cut?.();
  }

  async close(): Promise<void> {
    this.#listener.close();
    this.#abort.abort();
    this.#cut?.();
    await this.#running;
    await this.#reader?.close();
    await this.#ports.peer.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#jumped();
        const seen = this.#appends;
        const batch = await this.#fill();
        if (batch === undefined) await this.#idle(seen);
        else await this.#deliver(batch);
      } catch (error) {
        const { code } = toHoldfastError(error);
        if (!HoldfastError.is(error)) this.#ports.log.error('a sink failed', { sink: this.#ports.name, code });
        await this.#fail(code);
      }
    }
  }

  async #jumped(): Promise<void> {
    if (this.#jump === undefined) return;
    this.#position = this.#jump;
    this.#jump = undefined;
    this.#waiting = [];
    this.#failing = undefined;
    await this.#reader?.close();
    this.#reader = undefined;
    this.#ports.onProgress(this.#position);
  }

  /** The messages to send next; empty when only unwanted ones came, undefined when there are none. */
  async #fill(): Promise<readonly OutgoingMessage[] | undefined> {
    const { spool, word } = this.#ports;
    if (this.#position < spool.start) await this.#skip(spool.start);
    this.#reader ??= spool.reader(this.#position);
    while (this.#waiting.length < this.#limit) {
      const block = await this.#reader.next();
      if (block === undefined) break;
      for (const message of block) this.#waiting.push({ offset: message.offset, message: word(message) });
    }
    if (this.#waiting.length === 0) return undefined;
    return this.#batch();
  }

  #batch(): readonly OutgoingMessage[] {
    const batch: OutgoingMessage[] = [];
    let bytes = 0;
    for (const { message } of this.#waiting) {
      if (message === undefined) continue;
      bytes += message.json.length;
      if (batch.length === this.#limit || (batch.length > 0 && bytes > MAX_BATCH_BYTES)) break;
      batch.push(message);
    }
    return batch;
  }

  /** Its messages were removed to make room, or were never kept. */
  async #skip(to: number): Promise<void> {
    this.#counts.skipped += to - this.#position;
    this.#ports.log.warn('messages were removed before a sink took them', {
      sink: this.#ports.name,
      messages: to - this.#position,
    });
    this.#position = to;
    this.#waiting = [];
    await this.#reader?.close();
    this.#reader = undefined;
  }

  async #deliver(batch: readonly OutgoingMessage[]): Promise<void> {
    const verdict: SinkVerdict = batch.length === 0 ? { kind: 'taken' } : await this.#send(batch);
    if (this.#jump !== undefined) return;
    if (verdict.kind === 'taken') return this.#taken(batch);
    if (this.#abort.signal.aborted) return;
    if (verdict.kind === 'later') return this.#later(batch, verdict);
    return this.#refused(batch, verdict.reason);
  }

  async #send(batch: readonly OutgoingMessage[]): Promise<SinkVerdict> {
    try {
      return await this.#ports.peer.send(batch, this.#abort.signal);
    } catch (error) {
      return { kind: 'later', reason: toHoldfastError(error).code };
    }
  }

  #taken(batch: readonly OutgoingMessage[]): void {
    if (batch.length > 0) {
      this.#counts.delivered += batch.length;
      this.#lastDeliveredAt = this.#ports.clock.now();
      this.#failing = undefined;
      this.#limit = Math.min(this.#limit * 2, this.#ports.peer.maxMessages);
    }
    this.#passed(batch.at(-1));
  }

  /** Everything up to and including `last` is done with; undefined: all that was read. */
  #passed(last: OutgoingMessage | undefined): void {
    const done =
      last === undefined ? this.#waiting.length : this.#waiting.findIndex(({ message }) => message === last) + 1;
    // What nobody wants behind it is done with as well.
    let upTo = done;
    while (upTo < this.#waiting.length && this.#waiting[upTo]?.message === undefined) upTo++;
    const [final] = this.#waiting.slice(upTo - 1, upTo);
    this.#waiting.splice(0, upTo);
    if (final !== undefined) this.#position = final.offset + 1;
    this.#ports.onProgress(this.#position);
  }

  async #later(
    batch: readonly OutgoingMessage[],
    { reason, retryAfterMs }: { readonly reason: string; readonly retryAfterMs?: number },
  ): Promise<void> {
    const { clock, giveUpMs } = this.#ports;
    if (this.#failing !== undefined && clock.now() - this.#failing.since >= giveUpMs) {
      await this.#buryAll(batch, reason);
      // Asked once for each batch from now on, until it takes one.
      this.#failing = { ...this.#failing, reason };
      return;
    }
    await this.#fail(reason, retryAfterMs);
  }

  async #refused(batch: readonly OutgoingMessage[], reason: string): Promise<void> {
    if (batch.length > 1) {
      this.#limit = Math.ceil(batch.length / 2);
      return;
    }
    if ((this.#failing?.attempts ?? 0) + 1 < REFUSALS) return this.#fail(reason);
    await this.#buryAll(batch, reason);
    this.#failing = undefined;
  }

  async #buryAll(batch: readonly OutgoingMessage[], reason: string): Promise<void> {
    const attempts = (this.#failing?.attempts ?? 0) + 1;
    for (const message of batch) {
      await this.#ports.bury(message, { attempts, reason });
      this.#counts.buried++;
    }
    this.#passed(batch.at(-1));
  }

  async #fail(reason: string, retryAfterMs = 0): Promise<void> {
    const { clock, log, name } = this.#ports;
    const attempts = (this.#failing?.attempts ?? 0) + 1;
    if (attempts === 1) log.warn('a sink does not take messages', { sink: name, reason });
    this.#failing = { since: this.#failing?.since ?? clock.now(), reason, attempts };
    const pauseMs = Math.max(this.#pause(attempts), Math.min(retryAfterMs, LONGEST_ASKED_MS));
    await this.#rest((resolve) => void clock.after(pauseMs, resolve));
  }

  /** Doubles, with half of it left to chance, so that a fleet of servers does not come back at once. */
  #pause(attempts: number): number {
    const whole = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 16), LONGEST_PAUSE_MS);
    const [byte = 0] = this.#ports.random.bytes(1);
    return whole / 2 + (whole / 2) * (byte / 255);
  }

  /** Until something is appended after `seen`, or somebody calls. */
  async #idle(seen: number): Promise<void> {
    if (this.#appends !== seen) return;
    await this.#rest((resolve) => {
      this.#wake = resolve;
    });
  }

  async #rest(begin: (resolve: () => void) => void): Promise<void> {
    if (this.#abort.signal.aborted || this.#jump !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cut = resolve;
    begin(resolve);
    await promise;
    this.#wake = undefined;
    this.#cut = undefined;
  }
}
