import { concatBytes, HoldfastError, type Random } from '@holdfast/kernel';
import { GCM_NONCE, openAesGcm, sealAesGcm } from '../primitives/aead.ts';
import type { SealContext } from './context.ts';
import { createDataKey, decodeHeader, openDataKey, rewrapHeader } from './header.ts';
import type { KeyEncryptionKey, KeyLookup } from './key.ts';

/**
 * Seals one small object under a fresh data key: header, nonce, ciphertext, tag.
 *
 * @param context - the only place where it will open.
 */
export async function sealRecord(
  kek: KeyEncryptionKey,
  context: SealContext,
  plaintext: Uint8Array,
  random: Random,
): Promise<Uint8Array<ArrayBuffer>> {
  const { header, key, aad } = await createDataKey('record', kek, context, random);
  const nonce = random.bytes(GCM_NONCE);
  return concatBytes(header, nonce, sealAesGcm({ key, nonce, aad }, plaintext));
}

/**
 * Opens what `sealRecord` sealed, in the place it was sealed for.
 *
 * @throws `crypto.open_failed` when moved, altered or rolled back; `crypto.unknown_key` when its key version is gone.
 */
export async function openRecord(
  lookup: KeyLookup,
  context: SealContext,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = decodeHeader('record', sealed);
  const { key, aad } = await openDataKey('record', lookup, context, header);
  const nonceEnd = header.length + GCM_NONCE;
  const nonce = sealed.subarray(header.length, nonceEnd);
  if (nonce.length < GCM_NONCE) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
  return openAesGcm({ key, nonce, aad }, sealed.subarray(nonceEnd));
}

/** Wraps the record's data key under another version of the same key; the ciphertext stays. */
export async function rewrapRecord(
  lookup: KeyLookup,
  next: KeyEncryptionKey,
  context: SealContext,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = decodeHeader('record', sealed);
  return concatBytes(await rewrapHeader('record', lookup, next, { context, header }), sealed.subarray(header.length));
}

/** Which key version wrapped a sealing, for finding what a rotation has left to rewrap. */
export function sealedUnder(form: 'record' | 'stream', sealed: Uint8Array): { keyId: string; keyVersion: number } {
  const { keyId, keyVersion } = decodeHeader(form, sealed);
  return { keyId, keyVersion };
}
