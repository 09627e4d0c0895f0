import { type KeyObject, verify } from 'node:crypto';
import { ByteReader, HoldfastError } from '@holdfast/kernel';
import { importAnyPublicKey } from '../keys/public-key.ts';
import { sha256 } from '../primitives/hash.ts';

/** A P-256 key as a secure boot v1 bootloader embeds it. */
export interface EspV1Key {
  readonly keyObject: KeyObject;
  readonly spki: Uint8Array;
  /** SHA-256 of X and Y, 32 bytes each, big endian. */
  readonly digest: Uint8Array;
}

const SIGNATURE_LENGTH = 64;
const TRAILER_LENGTH = 4 + SIGNATURE_LENGTH;

/** @throws `boot.unsupported_key` for anything but P-256, `crypto.bad_key` */
export function espV1Key(spki: Uint8Array): EspV1Key {
  const { kind, keyObject, spki: der } = importAnyPublicKey(spki);
  if (kind.kind !== 'ec' || kind.curve !== 'P-256')
    throw new HoldfastError('boot.unsupported_key', { type: kind.kind });
  return { keyObject, spki: der, digest: sha256(der.subarray(-64)) };
}

/**
 * Judges a secure boot v1 image: the image, a version word of zero, and r and s of ECDSA P-256 with SHA-256, big endian.
 *
 * @returns the image without its trailer, and the key that signed it.
 * @throws `wire.truncated`, `boot.bad_header` for another version, `boot.bad_signature` when no key fits
 * @see esptool espsecure, sign_data version 1
 */
export function judgeSecureBootV1(
  bytes: Uint8Array,
  keys: readonly EspV1Key[],
): { readonly image: Uint8Array; readonly key: EspV1Key } {
  if (bytes.length <= TRAILER_LENGTH) throw new HoldfastError('wire.truncated', { field: 'image', size: bytes.length });
  const image = bytes.subarray(0, bytes.length - TRAILER_LENGTH);
  const version = new ByteReader(bytes, image.length).u32le('version');
  if (version !== 0) throw new HoldfastError('boot.bad_header', { field: 'signature version', value: version });
  const signature = bytes.subarray(-SIGNATURE_LENGTH);
  const key = keys.find(({ keyObject }) =>
    verify('sha256', image, { key: keyObject, dsaEncoding: 'ieee-p1363' }, signature),
  );
  if (key === undefined) throw new HoldfastError('boot.bad_signature', { keys: keys.length });
  return { image, key };
}
