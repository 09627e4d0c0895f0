import {
  ByteReader,
  ByteWriter,
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  HoldfastError,
  type Random,
} from '@holdfast/kernel';
import { hkdf, timingSafeEqual } from '../primitives/hash.ts';
import { contextBytes, type SealContext } from './context.ts';
import type { KeyEncryptionKey, KeyLookup } from './key.ts';

/** The four octets that open a sealing, and what they mean to what follows the header. */
const MAGIC = { record: 'HFR1', stream: 'HFS1' } as const;
export type SealForm = keyof typeof MAGIC;

const COMMITMENT = 32;
const DATA_KEY = 32;
const EMPTY = new Uint8Array(0);

/** Who wrapped the data key, the wrapping, and the commitment to it. */
export interface SealHeader {
  readonly keyId: string;
  readonly keyVersion: number;
  readonly wrapped: Uint8Array;
  readonly commitment: Uint8Array;
  /** Octets the header takes. */
  readonly length: number;
}

/** The largest header; a reader of a range fetches so much first. */
export const MAX_HEADER = 4 + 1 + 255 + 4 + 2 + 1024 + COMMITMENT;

export interface DataKey {
  readonly header: Uint8Array<ArrayBuffer>;
  /** Encrypts the object; never the data key itself, which also makes the commitment. */
  readonly key: Uint8Array;
  readonly aad: Uint8Array;
}

/** A fresh data key, wrapped, committed to and bound to its context. */
export async function createDataKey(
  form: SealForm,
  kek: KeyEncryptionKey,
  context: SealContext,
  random: Random,
): Promise<DataKey> {
  const dataKey = random.bytes(DATA_KEY);
  const aad = contextBytes(form, context, kek.keyId);
  const header = await encodeHeader(form, kek, dataKey, aad);
  const { key } = deriveKeys(dataKey, aad);
  return { header, key, aad };
}

/**
 * Unwraps the data key of a sealing for this context.
 *
 * @throws `crypto.unknown_key` when the keyring lacks the version; `crypto.open_failed` for anything else that differs.
 */
export async function openDataKey(
  form: SealForm,
  lookup: KeyLookup,
  context: SealContext,
  header: SealHeader,
): Promise<Omit<DataKey, 'header'>> {
  const { dataKey, aad } = await unwrapDataKey(form, lookup, context, header);
  const { key, commitment } = deriveKeys(dataKey, aad);
  // GCM does not commit to its key: without this an attacker could craft bytes that open under two keys.
  if (!timingSafeEqual(commitment, header.commitment))
    throw new HoldfastError('crypto.open_failed', { reason: 'commitment' });
  return { key, aad };
}

/** The header with its data key wrapped anew; what follows the header stays as it is. */
export async function rewrapHeader(
  form: SealForm,
  lookup: KeyLookup,
  next: KeyEncryptionKey,
  input: { readonly context: SealContext; readonly header: SealHeader },
): Promise<Uint8Array<ArrayBuffer>> {
  const { context, header } = input;
  // The key id is bound into the sealed bytes; another key needs a new sealing, not a new wrapping.
  if (next.keyId !== header.keyId) throw new HoldfastError('crypto.bad_key', { field: 'keyId' });
  const { dataKey, aad } = await unwrapDataKey(form, lookup, context, header);
  return encodeHeader(form, next, dataKey, aad);
}

/** @throws `crypto.open_failed` when the bytes do not open with such a header. */
export function decodeHeader(form: SealForm, bytes: Uint8Array): SealHeader {
  try {
    const reader = new ByteReader(bytes);
    if (decodeUtf8(reader.take(4, 'magic')) !== MAGIC[form]) throw new HoldfastError('crypto.open_failed', {});
    const keyId = decodeUtf8(reader.take(reader.u8('keyId'), 'keyId'));
    const keyVersion = reader.u32be('keyVersion');
    const wrapped = reader.take(reader.u16be('wrapped'), 'wrapped');
    const commitment = reader.take(COMMITMENT, 'commitment');
    return { keyId, keyVersion, wrapped, commitment, length: reader.offset };
  } catch (cause) {
    throw new HoldfastError('crypto.open_failed', { reason: 'header' }, { cause });
  }
}

async function encodeHeader(
  form: SealForm,
  kek: KeyEncryptionKey,
  dataKey: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const keyId = encodeUtf8(kek.keyId);
  const wrapped = await kek.wrap(dataKey, wrapAad(aad, kek.version));
  if (keyId.length > 255 || wrapped.length > 1024) throw new HoldfastError('crypto.bad_key', { field: 'keyId' });
  return new ByteWriter(256)
    .bytes(encodeUtf8(MAGIC[form]))
    .u8(keyId.length)
    .bytes(keyId)
    .u32be(kek.version)
    .u16be(wrapped.length)
    .bytes(wrapped)
    .bytes(deriveKeys(dataKey, aad).commitment)
    .finish();
}

async function unwrapDataKey(
  form: SealForm,
  lookup: KeyLookup,
  context: SealContext,
  { keyId, keyVersion, wrapped }: SealHeader,
): Promise<{ dataKey: Uint8Array; aad: Uint8Array }> {
  const kek = await lookup(keyId, keyVersion);
  if (kek === undefined) throw new HoldfastError('crypto.unknown_key', { keyId, keyVersion });
  const aad = contextBytes(form, context, keyId);
  const dataKey = await kek.unwrap(wrapped, wrapAad(aad, keyVersion));
  if (dataKey.length !== DATA_KEY) throw new HoldfastError('crypto.open_failed', { reason: 'data key' });
  return { dataKey, aad };
}

/** Binds the wrapping to its key version too, so that an old wrapping cannot pass for a new one. */
function wrapAad(aad: Uint8Array, keyVersion: number): Uint8Array {
  return new ByteWriter(aad.length + 8).bytes(encodeUtf8('wrap')).u32be(keyVersion).bytes(aad).finish();
}

function deriveKeys(dataKey: Uint8Array, aad: Uint8Array): { key: Uint8Array; commitment: Uint8Array } {
  const info = concatBytes(encodeUtf8('holdfast/data-key/v1'), aad);
  const okm = hkdf('sha256', { key: dataKey, salt: EMPTY, info, length: 32 + COMMITMENT });
  return { key: okm.subarray(0, 32), commitment: okm.subarray(32) };
}
