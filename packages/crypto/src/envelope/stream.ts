import { concatBytes, HoldfastError, type Random } from '@holdfast/kernel';
import { GCM_TAG } from '../primitives/aead.ts';
import { CHUNK, type ChunkCipher, NONCE_PREFIX, openChunk, pieces, SEALED_CHUNK, sealChunk } from './chunks.ts';
import type { SealContext } from './context.ts';
import { createDataKey, decodeHeader, MAX_HEADER, openDataKey, rewrapHeader, type SealHeader } from './header.ts';
import type { KeyEncryptionKey, KeyLookup } from './key.ts';

/** A sealed stream in something that can be read at any place, such as a blob. */
export interface SealedSource {
  /** Octets in all. */
  readonly size: number;
  /** Exactly the octets from `start` until `end`. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Octets of plaintext, `end` exclusive. */
export interface PlainRange {
  readonly start: number;
  readonly end: number;
}

/** Seals a stream under a fresh data key, 1 MiB at a time: header, 7 octets of nonce, chunks each with its tag. */
export async function* sealStream(
  kek: KeyEncryptionKey,
  context: SealContext,
  plaintext: AsyncIterable<Uint8Array>,
  random: Random,
): AsyncGenerator<Uint8Array> {
  const { header, key, aad } = await createDataKey('stream', kek, context, random);
  const prefix = random.bytes(NONCE_PREFIX);
  yield concatBytes(header, prefix);
  let index = 0;
  for await (const { bytes, isLast } of pieces(plaintext, CHUNK)) {
    yield sealChunk({ key, aad, prefix }, index++, isLast, bytes);
  }
}

/**
 * Opens a sealed stream from its start.
 *
 * Each chunk is proved before it is given out, but that the end was not cut off is known only when the generator
 * returns: use nothing before.
 *
 * @throws `crypto.open_failed` for a chunk altered, moved, doubled or missing; `crypto.unknown_key`.
 */
export async function* openStream(
  lookup: KeyLookup,
  context: SealContext,
  sealed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const iterator = sealed[Symbol.asyncIterator]();
  const { head, rest } = await takeHead(iterator);
  const { header, cipher } = await openHead(lookup, context, head);
  const body = joined(head.subarray(header.length + NONCE_PREFIX), rest);
  let index = 0;
  for await (const { bytes, isLast } of pieces(body, SEALED_CHUNK)) yield openChunk(cipher, index++, isLast, bytes);
}

/** A sealed stream opened for reading at any place: the data key is unwrapped once. */
export class SealedReader {
  readonly #source: SealedSource;
  readonly #cipher: ChunkCipher;
  readonly #bodyStart: number;
  /** Octets of plaintext, as far as the sealed size tells; a cut at a chunk's end shows when the last chunk is read. */
  readonly size: number;

  private constructor(source: SealedSource, cipher: ChunkCipher, bodyStart: number) {
    this.#source = source;
    this.#cipher = cipher;
    this.#bodyStart = bodyStart;
    this.size = plainSize(source.size - bodyStart);
  }

  /** @throws `crypto.open_failed`, `crypto.unknown_key`. */
  static async open(lookup: KeyLookup, context: SealContext, source: SealedSource): Promise<SealedReader> {
    const head = await source.read(0, Math.min(source.size, MAX_HEADER + NONCE_PREFIX));
    const { header, cipher } = await openHead(lookup, context, head);
    return new SealedReader(source, cipher, header.length + NONCE_PREFIX);
  }

  /**
   * The plaintext of a range, chunk by chunk, each proved before it is given out.
   *
   * @throws `wire.malformed` for a range outside the plaintext; `crypto.open_failed`.
   */
  async *read({ start, end }: PlainRange): AsyncGenerator<Uint8Array> {
    if (!(start >= 0 && start <= end && end <= this.size))
      throw new HoldfastError('wire.malformed', { field: 'range' });
    for (let index = Math.floor(start / CHUNK); index * CHUNK < end; index++) {
      const from = index * CHUNK;
      const chunk = await this.#chunk(index);
      yield chunk.subarray(Math.max(start - from, 0), Math.min(end - from, chunk.length));
    }
  }

  async #chunk(index: number): Promise<Uint8Array> {
    const from = this.#bodyStart + index * SEALED_CHUNK;
    const to = Math.min(from + SEALED_CHUNK, this.#source.size);
    return openChunk(this.#cipher, index, to === this.#source.size, await this.#source.read(from, to));
  }
}

/** The new opening octets of a sealed stream, as many as it has now when key id and wrapping keep their size; the rest stays. */
export async function rewrapStreamHead(
  lookup: KeyLookup,
  next: KeyEncryptionKey,
  context: SealContext,
  head: Uint8Array,
): Promise<{ readonly replaced: number; readonly head: Uint8Array<ArrayBuffer> }> {
  const header = decodeHeader('stream', head);
  return { replaced: header.length, head: await rewrapHeader('stream', lookup, next, { context, header }) };
}

async function openHead(
  lookup: KeyLookup,
  context: SealContext,
  head: Uint8Array,
): Promise<{ header: SealHeader; cipher: ChunkCipher }> {
  const header = decodeHeader('stream', head);
  const prefix = head.subarray(header.length, header.length + NONCE_PREFIX);
  if (prefix.length < NONCE_PREFIX) throw new HoldfastError('crypto.open_failed', { reason: 'header' });
  return { header, cipher: { ...(await openDataKey('stream', lookup, context, header)), prefix } };
}

function plainSize(sealedBody: number): number {
  const chunks = Math.max(1, Math.ceil(sealedBody / SEALED_CHUNK));
  const size = sealedBody - chunks * GCM_TAG;
  if (size < 0) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
  return size;
}

/** Enough of a stream to hold any header, or all of a shorter one. */
async function takeHead(
  iterator: AsyncIterator<Uint8Array>,
): Promise<{ head: Uint8Array; rest: AsyncIterator<Uint8Array> }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < MAX_HEADER + NONCE_PREFIX) {
    const next = await iterator.next();
    if (next.done === true) break;
    parts.push(next.value);
    length += next.value.length;
  }
  return { head: concatBytes(...parts), rest: iterator };
}

async function* joined(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
