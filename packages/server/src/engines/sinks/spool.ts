import { type FileHandle, mkdir, open, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type Clock,
  concatBytes,
  encodeHex,
  type EpochMs,
  HoldfastError,
  type Log,
  type Random,
  toHoldfastError,
} from '@holdfast/kernel';
import { fromSystem, syncFolder } from '../durable-files.ts';
import {
  BLOCK_HEADER_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  sealBlock,
  SEGMENT_HEADER_BYTES,
  segmentFirst,
  type SegmentKey,
  segmentName,
} from './segment.ts';
import { SpoolReader, type SpoolSegment } from './spool-reader.ts';

export interface SpoolKeys {
  /** The key of this life of the process; made when it is first asked for. */
  current(): Promise<SegmentKey>;
  /** @throws `crypto.open_failed`, `storage.key_destroyed` when it is gone. */
  find(epoch: number): Promise<Uint8Array>;
  /** Drops the keys no segment needs. */
  keepOnly(epochs: ReadonlySet<number>): Promise<void>;
}

export interface SpoolOptions {
  readonly folder: string;
  readonly keys: SpoolKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of a segment; one block may overshoot it. */
  readonly segmentBytes: number;
}

interface Pending {
  readonly bytes: Uint8Array;
  readonly done: (durable: boolean) => void;
}

const ID_FILE = 'spool-id';
const MAX_COMMIT_BYTES = 1024 * 1024;
const MAX_COMMIT_COUNT = 4096;

/**
 * Messages in the order they came, in append-only files: sealed, one block a group commit, durable before anybody is
 * told. Offsets rise by one and never repeat.
 */
export class Spool {
  /** Of this folder: with an offset it names a message for ever. */
  readonly id: string;
  readonly #options: SpoolOptions;
  readonly #segments: SpoolSegment[];
  readonly #keys = new Map<number, Promise<Uint8Array>>();
  readonly #listeners = new Set<() => void>();
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #diskBytes: number;
  /** Offset of the next message that is written. */
  #next: number;
  #end: number;
  #nonce = 0n;
  #active: { readonly segment: SpoolSegment; readonly file: FileHandle } | undefined;
  #flushing: Promise<void> | undefined;

  private constructor(
    options: SpoolOptions,
    id: string,
    found: { readonly segments: SpoolSegment[]; readonly next: number },
  ) {
    this.#options = options;
    this.id = id;
    this.#segments = found.segments;
    this.#diskBytes = found.segments.reduce((sum, { size }) => sum + size, 0);
    this.#next = found.next;
    this.#end = found.next;
  }

  /** @throws `store.unavailable`, `store.full` */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { folder, random } = options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const id = await identityOf(folder, random);
      const segments: SpoolSegment[] = [];
      for (const name of (await readdir(folder)).sort()) {
        const segment = await segmentOf(folder, name);
        if (segment !== undefined) segments.push(segment);
      }
      const spool = new Spool(options, id, { segments, next: 0 });
      await spool.#findEnd();
      await spool.#dropKeys();
      return spool;
    } catch (error) {
      throw fromSystem(error, 'opening the spool');
    }
  }

  /** Behind the last durable message. */
  get end(): number {
    return this.#end;
  }

  /** Offset of the oldest message that is kept; `end` when there is none. */
  get start(): number {
    return this.#segments[0]?.first ?? this.#end;
  }

  /** Octets on disk and on their way there. */
  get bytes(): number {
    return this.#diskBytes + this.#pendingBytes;
  }

  /** Octets that wait for the disk. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** @returns whether it became durable */
  append(bytes: Uint8Array): Promise<boolean> {
    const appended = new Promise<boolean>((done) => this.#pending.push({ bytes, done }));
    this.#pendingBytes += bytes.length + BLOCK_HEADER_BYTES;
    this.#flushing ??= this.#flush();
    return appended;
  }

  /** Calls back whenever `end` moved. */
  onAppend(listener: () => void): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  reader(from: number): SpoolReader {
    const { log } = this.#options;
    return new SpoolReader(
      {
        id: this.id,
        log,
        segmentAt: (offset) => this.#segmentAt(offset),
        segmentAfter: (segment) => this.#segments.find(({ first }) => first > segment.first),
        keyOf: (epoch) => this.#keyOf(epoch),
      },
      from,
    );
  }

  /** Offset of the first block that came at `at` or later; `end` when there is none. */
  async offsetAt(at: EpochMs): Promise<number> {
    const reader = this.reader(this.start);
    try {
      let offset = this.start;
      for (let time = await reader.time(); time !== undefined; time = await reader.time()) {
        if (time >= at) return offset;
        offset = await reader.skip();
      }
      return this.#end;
    } finally {
      await reader.close();
    }
  }

  /** Removes segments, oldest first, that hold nothing from `upTo` on, as long as `goOn` says so. */
  async trim(upTo: number, goOn: (oldest: { readonly endedAt: EpochMs }) => boolean): Promise<void> {
    for (;;) {
      const [oldest, after] = this.#segments;
      if (oldest === undefined || after === undefined || after.first > upTo) break;
      const endedAt = (await this.#timeOf(after)) ?? this.#options.clock.now();
      // Somebody else may have trimmed meanwhile.
      if (this.#segments[0] !== oldest) continue;
      if (!goOn({ endedAt })) break;
      this.#segments.shift();
      this.#diskBytes -= oldest.size;
      await unlink(oldest.path).catch((error: unknown) => {
        this.#options.log.warn('a spool segment was not removed', { code: toHoldfastError(error).code });
      });
    }
  }

  /** Waits until what was appended is durable. */
  async close(): Promise<void> {
    await this.#flushing;
    await this.#active?.file.close();
    this.#active = undefined;
  }

  async #timeOf(segment: SpoolSegment): Promise<EpochMs | undefined> {
    const reader = this.reader(segment.first);
    try {
      return await reader.time();
    } finally {
      await reader.close();
    }
  }

  async #flush(): Promise<void> {
    // What the rest of this turn brings goes into the same block.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#take();
      const durable = await this.#commit(batch.map(({ bytes }) => bytes));
      for (const { bytes, done } of batch) {
        this.#pendingBytes -= bytes.length + BLOCK_HEADER_BYTES;
        done(durable);
      }
      if (durable) for (const listener of this.#listeners) listener();
    }
    // In the same step as the last look at what waits: whoever appends next starts another flush.
    this.#flushing = undefined;
  }

  #take(): readonly Pending[] {
    let bytes = 0;
    const stop = this.#pending.findIndex((each, at) => {
      bytes += each.bytes.length;
      return at > 0 && (bytes > MAX_COMMIT_BYTES || at === MAX_COMMIT_COUNT);
    });
    return this.#pending.splice(0, stop < 0 ? this.#pending.length : stop);
  }

  async #commit(messages: readonly Uint8Array[]): Promise<boolean> {
    const { clock, keys, log } = this.#options;
    const first = this.#next;
    // Offsets and nonces of a write that failed are never used again.
    this.#next += messages.length;
    try {
      const key = await keys.current();
      const active = await this.#activeSegment(key.epoch, first);
      const header = { first, count: messages.length, at: clock.now(), nonce: this.#nonce++ };
      const block = sealBlock(header, concatBytes(...messages), { key: key.key, spool: this.id });
      await writeWhole(active.file, block, active.segment.size);
      await active.file.datasync();
      active.segment.size += block.length;
      this.#diskBytes += block.length;
      this.#end = this.#next;
      return true;
    } catch (error) {
      log.error('messages were not spooled', { code: fromSystem(error, 'spooling').code, messages: messages.length });
      await this.#active?.file.close().catch(() => undefined);
      // Whatever the failed write left behind is not read: the segment ends before it.
      this.#active = undefined;
      return false;
    }
  }

  async #activeSegment(epoch: number, first: number) {
    const { folder, segmentBytes } = this.#options;
    if (this.#active !== undefined && this.#active.segment.size < segmentBytes) return this.#active;
    await this.#active?.file.close();
    this.#active = undefined;
    const file = await open(path.join(folder, segmentName(first)), 'wx', 0o600);
    const segment: SpoolSegment = {
      path: path.join(folder, segmentName(first)),
      first,
      epoch,
      size: SEGMENT_HEADER_BYTES,
    };
    this.#active = { segment, file };
    await writeWhole(file, encodeSegmentHeader(epoch), 0);
    await syncFolder(folder);
    this.#segments.push(segment);
    this.#diskBytes += segment.size;
    return this.#active;
  }

  #segmentAt(offset: number): SpoolSegment | undefined {
    return this.#segments.findLast(({ first }) => first <= offset) ?? this.#segments[0];
  }

  #keyOf(epoch: number): Promise<Uint8Array> {
    const known = this.#keys.get(epoch);
    if (known !== undefined) return known;
    const found = this.#options.keys.find(epoch);
    this.#keys.set(epoch, found);
    // What the store could not say now it may say later.
    found.catch(() => this.#keys.delete(epoch));
    return found;
  }

  /** Walks the last segment: what a crash cut off does not count. */
  async #findEnd(): Promise<void> {
    const last = this.#segments.at(-1);
    if (last === undefined) return;
    const reader = this.reader(last.first);
    let next = last.first;
    while ((await reader.time()) !== undefined) next = await reader.skip();
    await reader.close();
    this.#next = next;
    this.#end = next;
    if (next > last.first) return;
    this.#segments.pop();
    this.#diskBytes -= last.size;
    await unlink(last.path);
  }

  async #dropKeys(): Promise<void> {
    await this.#options.keys.keepOnly(new Set(this.#segments.map(({ epoch }) => epoch)));
  }
}

async function identityOf(folder: string, random: Random): Promise<string> {
  const file = path.join(folder, ID_FILE);
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined && /^[0-9a-f]{16}$/.test(known)) return known;
  const id = encodeHex(random.bytes(8));
  await writeFile(file, id, { mode: 0o600, flush: true });
  await syncFolder(folder);
  return id;
}

async function segmentOf(folder: string, name: string): Promise<SpoolSegment | undefined> {
  const first = segmentFirst(name);
  if (first === undefined) return undefined;
  const place = path.join(folder, name);
  const { size } = await stat(place);
  const file = await open(place, 'r');
  try {
    const header = new Uint8Array(SEGMENT_HEADER_BYTES);
    await file.read(header, 0, header.length, 0);
    const epoch = decodeSegmentHeader(header);
    return { path: place, first, epoch: epoch ?? 0, size };
  } finally {
    await file.close();
  }
}

async function writeWhole(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, at + written);
    if (bytesWritten === 0) throw new HoldfastError('store.full');
    written += bytesWritten;
  }
}
