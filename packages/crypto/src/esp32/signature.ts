import { constants, type KeyObject, sign, verify } from 'node:crypto';
import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { ESP_SCHEMES, type EspScheme } from '@holdfast/wire/esp32';
import { plainBytes } from '../primitives/bytes.ts';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import { ecdsaFromDer } from '../keys/ecdsa-encoding.ts';
import type { EspPublicKey } from './public-key.ts';

/** An algorithm that signs images of these chips; P-192 exists for no other use here. */
export type EspAlgorithm = SignatureAlgorithm | 'ecdsa-p192-sha256';

export const ESP_ALGORITHMS: Readonly<Record<EspScheme, EspAlgorithm>> = {
  'rsa-3072': 'rsa-pss-sha256',
  'ecdsa-p192': 'ecdsa-p192-sha256',
  'ecdsa-p256': 'ecdsa-p256-sha256',
  'ecdsa-p384': 'ecdsa-p384-sha384',
};

const COORDINATE = { 'ecdsa-p192': 24, 'ecdsa-p256': 32, 'ecdsa-p384': 48 } as const;
const PSS_SALT = 32;

/** Whether a block's signature is this key's over the image. Only a bad number makes OpenSSL throw: also a no. */
export function verifyEspSignature(
  { scheme, keyObject: key }: EspPublicKey,
  covered: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    if (scheme === 'rsa-3072') {
      const input = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT };
      return verify('sha256', covered, input, signature.toReversed());
    }
    const size = COORDINATE[scheme];
    if (signature.subarray(2 * size).some((byte) => byte !== 0)) return false;
    const raw = concatBytes(signature.subarray(0, size).toReversed(), signature.subarray(size, 2 * size).toReversed());
    return verify(hashOf(scheme), covered, { key, dsaEncoding: 'ieee-p1363' }, raw);
  } catch {
    return false;
  }
}

/**
 * A signer's signature as its block holds it.
 *
 * @param signature - big-endian number for RSA, DER for ECDSA.
 * @throws `boot.signature_encoding`
 */
export function toBlockSignature(scheme: EspScheme, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const { signatureLength } = ESP_SCHEMES[scheme];
  if (scheme === 'rsa-3072') {
    if (signature.length !== signatureLength)
      throw new HoldfastError('boot.signature_encoding', { size: signature.length });
    return Uint8Array.from(signature.toReversed());
  }
  const size = COORDINATE[scheme];
  const numbers = readDer(signature, size);
  const field = new Uint8Array(signatureLength);
  field.set(numbers.subarray(0, size).toReversed());
  field.set(numbers.subarray(size).toReversed(), size);
  return field;
}

function readDer(signature: Uint8Array, size: number): Uint8Array {
  try {
    return ecdsaFromDer(signature, size);
  } catch (cause) {
    throw new HoldfastError('boot.signature_encoding', { field: 'DER' }, { cause });
  }
}

/** Signs with a P-192 key in memory, which `createSigner` does not know. */
export function signP192(message: Uint8Array, key: KeyObject): Uint8Array {
  return plainBytes(sign('sha256', message, { key, dsaEncoding: 'der' }));
}

function hashOf(scheme: EspScheme): 'sha256' | 'sha384' {
  return ESP_SCHEMES[scheme].hashId === 0 ? 'sha256' : 'sha384';
}
