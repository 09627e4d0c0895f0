import { ByteWriter, encodeUtf8, HoldfastError } from '@holdfast/kernel';

/** The one place where sealed bytes may be opened. */
export interface SealContext {
  readonly tenant: string;
  /** What kind of object, such as `secret` or `blob`. */
  readonly kind: string;
  readonly id: string;
  /** Of the object, so that an older sealing cannot stand in for a newer one. */
  readonly version: number;
}

const ALGORITHM = 'AES-256-GCM+HKDF-SHA-256';
const MAX_TEXT = 1024;

/**
 * What every sealing is bound to: each text with its length before it, so that no two contexts have one encoding.
 *
 * @param purpose - separates the uses of one context from each other.
 * @throws `wire.too_large` for a text over 1024 octets; `wire.malformed` for a version that is no unsigned integer.
 */
export function contextBytes(purpose: string, context: SealContext, keyId: string): Uint8Array<ArrayBuffer> {
  const { tenant, kind, id, version } = context;
  if (!Number.isSafeInteger(version) || version < 0) throw new HoldfastError('wire.malformed', { field: 'version' });
  const writer = new ByteWriter(160);
  for (const text of ['holdfast/seal/v1', purpose, ALGORITHM, tenant, kind, id, keyId]) {
    const bytes = encodeUtf8(text);
    if (bytes.length > MAX_TEXT) throw new HoldfastError('wire.too_large', { field: 'seal context', limit: MAX_TEXT });
    writer.u32be(bytes.length).bytes(bytes);
  }
  return writer.u64be(BigInt(version)).finish();
}
