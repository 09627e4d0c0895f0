import { createHash, createHmac, hash, hkdfSync, timingSafeEqual as nodeTimingSafeEqual } from 'node:crypto';
import { encodeHex, HoldfastError } from '@holdfast/kernel';
import { plainBytes, secretKey } from './bytes.ts';

export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512';

export const HASH_LENGTHS: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 };

export function digest(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return plainBytes(hash(algorithm, bytes, 'buffer'));
}

export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return digest('sha256', bytes);
}

/** SHA-1 for key identifiers and OCSP CertIDs, which name and prove nothing; never for a signature. */
export function sha1Identifier(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return plainBytes(hash('sha1', bytes, 'buffer'));
}

/** A hash fed in parts; it never holds more than one block. */
export interface StreamingDigest {
  readonly length: number;
  update(bytes: Uint8Array): void;
  /** Ends the digest; it cannot be fed after. */
  finish(): Uint8Array<ArrayBuffer>;
}

export function createDigest(algorithm: HashAlgorithm): StreamingDigest {
  const inner = createHash(algorithm);
  let length = 0;
  return {
    get length() {
      return length;
    },
    update(bytes) {
      length += bytes.length;
      inner.update(bytes);
    },
    finish: () => plainBytes(inner.digest()),
  };
}

/** Digest and byte count of a stream. */
export async function digestStream(
  algorithm: HashAlgorithm,
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly digest: Uint8Array<ArrayBuffer>; readonly length: number }> {
  const inner = createDigest(algorithm);
  for await (const part of stream) inner.update(part);
  return { length: inner.length, digest: inner.finish() };
}

/** Lower-case hex SHA-256 of a certificate's DER: our key for it, and what AWS calls certificateId. */
export function fingerprint(der: Uint8Array): string {
  return encodeHex(sha256(der));
}

export function hmac(algorithm: HashAlgorithm, key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return plainBytes(createHmac(algorithm, secretKey(key)).update(bytes).digest());
}

export interface HkdfInput {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  readonly info: Uint8Array;
  /** Octets wanted. */
  readonly length: number;
}

/** HKDF extract and expand (RFC 5869). @throws `wire.too_large` for more than 255 blocks or less than one octet. */
export function hkdf(algorithm: HashAlgorithm, { key, salt, info, length }: HkdfInput): Uint8Array<ArrayBuffer> {
  const limit = 255 * HASH_LENGTHS[algorithm];
  if (!(length >= 1 && length <= limit)) throw new HoldfastError('wire.too_large', { field: 'hkdf length', limit });
  return new Uint8Array(hkdfSync(algorithm, secretKey(key), salt, info, length));
}

/** Equality in time that depends on the lengths alone. */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && nodeTimingSafeEqual(a, b);
}
