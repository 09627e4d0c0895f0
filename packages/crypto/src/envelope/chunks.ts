import { ByteWriter, concatBytes, HoldfastError } from '@holdfast/kernel';
import { GCM_TAG, openAesGcm, sealAesGcm } from '../primitives/aead.ts';

/** What each sealed chunk but the last takes of the plaintext. */
export const CHUNK = 1024 * 1024;
export const SEALED_CHUNK = CHUNK + GCM_TAG;
export const NONCE_PREFIX = 7;

/** A stream's chunk cipher: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015). */
export interface ChunkCipher {
  readonly key: Uint8Array;
  readonly aad: Uint8Array;
  /** 7 octets, one for each stream. */
  readonly prefix: Uint8Array;
}

/**
 * The nonce says where the chunk stands and whether it is the last, so that chunks cannot change places and an end
 * cannot be cut off.
 */
function nonceOf({ prefix }: ChunkCipher, index: number, isLast: boolean): Uint8Array {
  return new ByteWriter(16)
    .bytes(prefix)
    .u32be(index)
    .u8(isLast ? 1 : 0)
    .finish();
}

export function sealChunk(cipher: ChunkCipher, index: number, isLast: boolean, plaintext: Uint8Array): Uint8Array {
  // A counter that came round would repeat a nonce; 2^32 chunks are 4 PiB.
  if (index > 0xffffffff) throw new HoldfastError('wire.too_large', { field: 'stream', limit: 0xffffffff });
  return sealAesGcm({ key: cipher.key, nonce: nonceOf(cipher, index, isLast), aad: cipher.aad }, plaintext);
}

/** @throws `crypto.open_failed` */
export function openChunk(cipher: ChunkCipher, index: number, isLast: boolean, sealed: Uint8Array): Uint8Array {
  return openAesGcm({ key: cipher.key, nonce: nonceOf(cipher, index, isLast), aad: cipher.aad }, sealed);
}

/**
 * Cuts a stream into pieces of exactly `size`, marking the last; the last may be shorter, and is empty for an empty
 * stream. One piece is held back, so that the end is known when it is given.
 */
export async function* pieces(
  stream: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly isLast: boolean }> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const part of stream) {
    let rest = part;
    while (held + rest.length > size) {
      const taken = rest.subarray(0, size - held);
      yield { bytes: joined([...parts, taken]), isLast: false };
      rest = rest.subarray(taken.length);
      parts = [];
      held = 0;
    }
    if (rest.length > 0) parts.push(rest);
    held += rest.length;
  }
  yield { bytes: joined(parts), isLast: true };
}

/** One part as it is: copying a chunk costs half of sealing it. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first ? first : concatBytes(...parts);
}
