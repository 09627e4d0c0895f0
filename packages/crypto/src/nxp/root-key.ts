import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { NXP_ROOT_KEYS } from '@holdfast/wire/nxp';
import { importPublicKey, type PublicKey } from '../keys/public-key.ts';
import { sha256 } from '../primitives/hash.ts';

/** An RSA key as the ROM of an LPC55 knows it. */
export interface NxpPublicKey {
  readonly key: PublicKey;
  /** SHA-256 of modulus and exponent, big endian, without leading zeros. */
  readonly hash: Uint8Array;
  /** Bytes of its signatures: 256 or 512. */
  readonly signatureLength: number;
}

const SIZES: readonly number[] = [2048, 4096];

/** @throws `boot.unsupported_key` for anything but RSA-2048 and RSA-4096, `crypto.bad_key`, `crypto.weak_key` */
export function nxpPublicKey(spki: Uint8Array): NxpPublicKey {
  const key = importPublicKey(spki);
  const { kind } = key;
  if (kind.kind !== 'rsa' || !SIZES.includes(kind.modulusBits))
    throw new HoldfastError('boot.unsupported_key', { type: kind.kind });
  return {
    key,
    hash: sha256(concatBytes(kind.modulus, bigEndian(kind.exponent))),
    signatureLength: kind.modulusBits / 8,
  };
}

/** What the fuses hold: SHA-256 over four hashes, zeros for slots without a key. @throws `boot.bad_option` */
export function nxpRootKeyTableHash(hashes: readonly Uint8Array[]): Uint8Array {
  const fits = hashes.length <= NXP_ROOT_KEYS && hashes.every(({ length }) => length === 32);
  if (!fits) throw new HoldfastError('boot.bad_option', { option: 'root-key', count: hashes.length });
  return sha256(concatBytes(...hashes, new Uint8Array(32 * (NXP_ROOT_KEYS - hashes.length))));
}

function bigEndian(value: bigint): Uint8Array {
  const digits = value.toString(16);
  const hex = digits.padStart(digits.length + (digits.length % 2), '0');
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
