import { constants, type KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { algorithmFits, algorithmRow, type SignatureAlgorithm } from './algorithms.ts';
import { HASH_LENGTHS } from '../primitives/hash.ts';
import { importPublicKey, type PublicKey } from './public-key.ts';

/** How an ECDSA signature is written: SEQUENCE { r, s }, or r and s side by side (COSE, JOSE, TPM). */
export type EcdsaEncoding = 'der' | 'ieee-p1363';

const HALF = { 'P-256': 32, 'P-384': 48, 'P-521': 66 } as const;

/**
 * Whether `signature` is `key`'s over `message` by exactly this algorithm.
 *
 * @param key - an imported key, or SPKI DER to import for this once.
 * @throws `crypto.bad_key`, `crypto.weak_key`; `crypto.unsupported_algorithm` when the key cannot sign by the algorithm.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: PublicKey | Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  encoding: EcdsaEncoding = 'der',
): boolean {
  const input = verifyInput(algorithm, key, signature, encoding);
  if (input === undefined) return false;
  try {
    return verify(algorithmRow(algorithm).hash, message, input, signature);
  } catch {
    // OpenSSL throws instead of answering for some malformed signatures.
    return false;
  }
}

/** `verifySignature` on the thread pool. */
export function verifySignatureAsync(
  algorithm: SignatureAlgorithm,
  key: PublicKey | Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  encoding: EcdsaEncoding = 'der',
): Promise<boolean> {
  const input = verifyInput(algorithm, key, signature, encoding);
  if (input === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    verify(algorithmRow(algorithm).hash, message, input, signature, (error, isValid) =>
      resolve(error === null && isValid),
    );
  });
}

/**
 * OpenSSL's options for an algorithm.
 *
 * The key alone where nothing else is to be said: Node finds out what an options object is by two exceptions, which
 * cost more than half a P-256 signature.
 */
export function schemeOptions(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  encoding: EcdsaEncoding,
): KeyObject | VerifyKeyObjectInput {
  const { scheme, hash } = algorithmRow(algorithm);
  if (scheme === 'ecdsa') return encoding === 'der' ? key : { key, dsaEncoding: encoding };
  if (scheme === 'rsa-pkcs1') return { key, padding: constants.RSA_PKCS1_PADDING };
  if (scheme === 'rsa-pss' && hash !== undefined) {
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: HASH_LENGTHS[hash] };
  }
  return key;
}

/** Undefined when the signature's length alone refutes it. */
function verifyInput(
  algorithm: SignatureAlgorithm,
  given: PublicKey | Uint8Array,
  signature: Uint8Array,
  encoding: EcdsaEncoding,
): KeyObject | VerifyKeyObjectInput | undefined {
  const key = given instanceof Uint8Array ? importPublicKey(given) : given;
  if (!algorithmFits(algorithm, key.kind)) throw new HoldfastError('crypto.unsupported_algorithm', { algorithm });
  const { kind } = key;
  const isWrongLength =
    (kind.kind === 'rsa' && signature.length !== kind.modulus.length) ||
    (kind.kind === 'ed25519' && signature.length !== 64) ||
    (kind.kind === 'ec' && encoding === 'ieee-p1363' && signature.length !== 2 * HALF[kind.curve]);
  return isWrongLength ? undefined : schemeOptions(algorithm, key.keyObject, encoding);
}
