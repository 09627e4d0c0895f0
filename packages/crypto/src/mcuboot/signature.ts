import { HoldfastError } from '@holdfast/kernel';
import { type McubootKeyKind, strictEcdsaSignature } from '@holdfast/wire/mcuboot';
import type { SignatureAlgorithm } from '../keys/algorithms.ts';
import { verifySignature } from '../keys/verify.ts';
import type { McubootPublicKey } from './public-key.ts';

/** What a signer is asked for. */
export interface SignatureRequest {
  readonly algorithm: SignatureAlgorithm;
  /** The message that the algorithm itself hashes. */
  readonly message: Uint8Array;
}

const ALGORITHMS: Readonly<Record<McubootKeyKind, SignatureAlgorithm>> = {
  'rsa-2048': 'rsa-pss-sha256',
  'rsa-3072': 'rsa-pss-sha256',
  'ecdsa-p256': 'ecdsa-p256-sha256',
  'ecdsa-p384': 'ecdsa-p384-sha384',
  ed25519: 'ed25519',
};

/** Bytes a key signs, and their digest. */
export interface SignedBytes {
  readonly covered: Uint8Array;
  readonly digest: Uint8Array;
  /** Ed25519 over the image instead of over its digest. */
  readonly pure: boolean;
}

/** RSA and ECDSA sign the covered bytes; Ed25519 signs their digest as its message, or them when pure. */
export function signatureRequest({ kind }: McubootPublicKey, { covered, digest, pure }: SignedBytes): SignatureRequest {
  return { algorithm: ALGORITHMS[kind], message: kind === 'ed25519' && !pure ? digest : covered };
}

/**
 * @param padded - accept an ECDSA signature with the zero padding MCUboot before 1.5 needed.
 * @throws `boot.signature_encoding`, `boot.bad_signature`
 */
export function checkSignature(
  key: McubootPublicKey,
  signed: SignedBytes,
  signature: Uint8Array,
  padded = false,
): void {
  const { algorithm, message } = signatureRequest(key, signed);
  if (!verifySignature(algorithm, key.key, message, exactSignature(key, signature, padded))) {
    throw new HoldfastError('boot.bad_signature', { key: key.kind });
  }
}

function exactSignature({ rule }: McubootPublicKey, signature: Uint8Array, padded: boolean): Uint8Array {
  if (rule.signatureLength === undefined) return strictEcdsaSignature(signature, rule, padded);
  if (signature.length !== rule.signatureLength) {
    throw new HoldfastError('boot.signature_encoding', { field: 'length', size: signature.length });
  }
  return signature;
}
