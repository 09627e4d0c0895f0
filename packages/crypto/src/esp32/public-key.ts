import { createPublicKey, type KeyObject } from 'node:crypto';
import { ByteWriter, encodeHex, HoldfastError } from '@holdfast/kernel';
import { ESP_SCHEMES, type EspScheme } from '@holdfast/wire/esp32';
import { plainBytes } from '../primitives/bytes.ts';
import { sha256 } from '../primitives/hash.ts';
import { importAnyPublicKey } from '../keys/public-key.ts';

/** A public key as the ROM of an ESP32 knows it. */
export interface EspPublicKey {
  readonly scheme: EspScheme;
  readonly keyObject: KeyObject;
  readonly spki: Uint8Array;
  /** The key part of a signature block. */
  readonly field: Uint8Array;
  /** SHA-256 of that part: what an eFuse key block holds (espsecure digest_sbv2_public_key). */
  readonly digest: Uint8Array;
}

/** Coordinate length in bytes of each curve by OpenSSL's name. */
const CURVES: Readonly<Record<string, { readonly scheme: EspScheme; readonly coordinate: number }>> = {
  prime192v1: { scheme: 'ecdsa-p192', coordinate: 24 },
  prime256v1: { scheme: 'ecdsa-p256', coordinate: 32 },
  secp384r1: { scheme: 'ecdsa-p384', coordinate: 48 },
};

/**
 * Reads a public key for secure boot v2.
 *
 * @param spki - SubjectPublicKeyInfo DER with an uncompressed point.
 * @throws `boot.unsupported_key` for other kinds and sizes, `crypto.bad_key`
 */
export function espPublicKey(spki: Uint8Array): EspPublicKey {
  const keyObject = readKey(spki);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = keyObject;
  const curve = type === 'ec' ? CURVES[details?.namedCurve ?? ''] : undefined;
  if (curve === undefined && !(type === 'rsa' && details?.modulusLength === 3072)) {
    throw new HoldfastError('boot.unsupported_key', { type, curve: details?.namedCurve, bits: details?.modulusLength });
  }
  const der = plainBytes(keyObject.export({ type: 'spki', format: 'der' }));
  const field = curve === undefined ? rsaField(der) : curveField(der, curve);
  return { scheme: curve?.scheme ?? 'rsa-3072', keyObject, spki: der, field, digest: sha256(field) };
}

function readKey(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new HoldfastError('crypto.bad_key', {}, { cause });
  }
}

function curveField(spki: Uint8Array, { scheme, coordinate }: { scheme: EspScheme; coordinate: number }): Uint8Array {
  const { curveId = 0, keyLength } = ESP_SCHEMES[scheme];
  const point = spki.subarray(-2 * coordinate);
  const field = new Uint8Array(keyLength);
  field[0] = curveId;
  field.set(point.subarray(0, coordinate).toReversed(), 1);
  field.set(point.subarray(coordinate).toReversed(), 1 + coordinate);
  return field;
}

const MODULUS_LENGTH = 384;
const WORD = 0x1_0000_0000n;

/** n, e, R = 2^6144 mod n and M' = -1/n mod 2^32, which the ROM would otherwise have to compute. */
function rsaField(spki: Uint8Array): Uint8Array {
  const { kind } = importAnyPublicKey(spki);
  if (kind.kind !== 'rsa' || kind.exponent >= WORD)
    throw new HoldfastError('boot.unsupported_key', { type: kind.kind });
  const n = BigInt(`0x${encodeHex(kind.modulus)}`);
  const writer = new ByteWriter(776).bytes(littleEndian(n)).u32le(Number(kind.exponent));
  return writer
    .bytes(littleEndian((1n << 6144n) % n))
    .u32le(Number(WORD - inverse(n)))
    .finish();
}

/** Inverse of an odd number modulo 2^32, by Newton's iteration: each step doubles the right bits. */
function inverse(n: bigint): bigint {
  let result = 1n;
  for (let bits = 1; bits < 32; bits *= 2) result = BigInt.asUintN(32, result * (2n - n * result));
  return result;
}

function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(MODULUS_LENGTH);
  let rest = value;
  for (let at = 0; at < MODULUS_LENGTH; at++) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}
