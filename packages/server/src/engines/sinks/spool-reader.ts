import { type FileHandle, open } from 'node:fs/promises';
import { HoldfastError, type Log } from '@holdfast/kernel';
import { fromSystem } from '../durable-files.ts';
import { BLOCK_HEADER_BYTES, type BlockHeader, decodeBlockHeader, openBlock, SEGMENT_HEADER_BYTES } from './segment.ts';
import { decodeSinkMessages, type SpooledMessage } from './sink-message.ts';

/** A file of the spool, as far as it is durable. */
export interface SpoolSegment {
  readonly path: string;
  /** Offset of its first message. */
  readonly first: number;
  readonly epoch: number;
  /** Octets that are whole and durable. */
  size: number;
}

/** What a reader needs of its spool. */
export interface ReadableSpool {
  readonly id: string;
  /** The segment that holds the offset, or the first one after it. */
  segmentAt(offset: number): SpoolSegment | undefined;
  segmentAfter(segment: SpoolSegment): SpoolSegment | undefined;
  keyOf(epoch: number): Promise<Uint8Array>;
  readonly log: Log;
}

/** What makes a block unreadable for good. */
const LOST: ReadonlySet<string> = new Set(['crypto.open_failed', 'crypto.unknown_key', 'storage.key_destroyed']);

/** Reads blocks in order, from one offset on; each reader has its own place. */
export class SpoolReader {
  readonly #spool: ReadableSpool;
  #segment: SpoolSegment | undefined;
  #file: FileHandle | undefined;
  #at = SEGMENT_HEADER_BYTES;
  #next: number;

  constructor(spool: ReadableSpool, from: number) {
    this.#spool = spool;
    this.#next = from;
  }

  /** The messages of the next block from the reader's offset on; undefined when there is none yet. */
  async next(): Promise<readonly SpooledMessage[] | undefined> {
    for (;;) {
      const header = await this.#header();
      if (header === undefined) {
        if (!(await this.#advance())) return undefined;
        continue;
      }
      const from = this.#at + BLOCK_HEADER_BYTES;
      this.#at = from + header.length;
      if (header.first + header.count <= this.#next) continue;
      const messages = await this.#open(header, from);
      const wanted = messages.filter(({ offset }) => offset >= this.#next);
      this.#next = header.first + header.count;
      if (wanted.length > 0) return wanted;
    }
  }

  /** When the block that holds the next message came; undefined when there is none. */
  async time(): Promise<number | undefined> {
    for (;;) {
      const header = await this.#header();
      if (header === undefined) {
        if (!(await this.#advance())) return undefined;
      } else if (header.first + header.count > this.#next) return header.at;
      else this.#at += BLOCK_HEADER_BYTES + header.length;
    }
  }

  /** Moves behind the block `time` told of. @returns the offset after it */
  async skip(): Promise<number> {
    const header = await this.#header();
    if (header !== undefined) {
      this.#at += BLOCK_HEADER_BYTES + header.length;
      this.#next = header.first + header.count;
    }
    return this.#next;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#segment = undefined;
    await file?.close();
  }

  async #header(): Promise<BlockHeader | undefined> {
    const segment = await this.#current();
    if (segment === undefined || segment.size - this.#at < BLOCK_HEADER_BYTES) return undefined;
    const header = decodeBlockHeader(await this.#read(this.#at, BLOCK_HEADER_BYTES), segment.first);
    const isWhole = header !== undefined && this.#at + BLOCK_HEADER_BYTES + header.length <= segment.size;
    return isWhole ? header : undefined;
  }

  async #open(header: BlockHeader, from: number): Promise<readonly SpooledMessage[]> {
    const { id, log } = this.#spool;
    const sealed = await this.#read(from, header.length);
    try {
      const key = await this.#spool.keyOf(this.#segment?.epoch ?? 0);
      return decodeSinkMessages(openBlock(header, sealed, { key, spool: id }), header.first, header.count);
    } catch (error) {
      if (!HoldfastError.is(error) || !(LOST.has(error.code) || error.code.startsWith('wire.'))) throw error;
      log.error('spooled messages cannot be opened and are left out', { code: error.code, messages: header.count });
      return [];
    }
  }

  async #current(): Promise<SpoolSegment | undefined> {
    if (this.#segment !== undefined) return this.#segment;
    const segment = this.#spool.segmentAt(this.#next);
    if (segment !== undefined) await this.#enter(segment);
    return segment;
  }

  /** @returns false when this segment is the last */
  async #advance(): Promise<boolean> {
    const after = this.#segment === undefined ? undefined : this.#spool.segmentAfter(this.#segment);
    if (after === undefined) return false;
    await this.#enter(after);
    return true;
  }

  async #enter(segment: SpoolSegment): Promise<void> {
    await this.close();
    try {
      this.#file = await open(segment.path, 'r');
    } catch (error) {
      throw fromSystem(error, 'opening a spool segment');
    }
    this.#segment = segment;
    this.#at = SEGMENT_HEADER_BYTES;
    this.#next = Math.max(this.#next, segment.first);
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    try {
      for (let got = 0; got < length; ) {
        const { bytesRead } = (await this.#file?.read(bytes, got, length - got, at + got)) ?? { bytesRead: 0 };
        if (bytesRead === 0) throw new HoldfastError('store.corrupt', { reason: 'a spool segment shrank' });
        got += bytesRead;
      }
    } catch (error) {
      throw fromSystem(error, 'reading a spool segment');
    }
    return bytes;
  }
}
