import { constants, type KeyObject, sign, verify } from 'node:crypto';
import { strictEcdsaSignature } from '@holdfast/wire/mcuboot';
import { HoldfastError } from '@holdfast/kernel';
import type { McubootPublicKey } from './public-key.ts';

const PSS_SALT = 32;

/** What a signer is asked for: the message and how it is hashed and encoded. */
export interface SignatureRequest {
  readonly algorithm: 'rsa-pss-sha256' | 'ecdsa-sha256' | 'ecdsa-sha384' | 'ed25519';
  /** The message that the algorithm itself hashes. */
  readonly message: Uint8Array;
}

const ALGORITHM = {
  'rsa-2048': 'rsa-pss-sha256',
  'rsa-3072': 'rsa-pss-sha256',
  'ecdsa-p256': 'ecdsa-sha256',
  'ecdsa-p384': 'ecdsa-sha384',
  ed25519: 'ed25519',
} as const;

type Verify = (key: KeyObject, message: Uint8Array, signature: Uint8Array) => boolean;

const VERIFY: Readonly<Record<SignatureRequest['algorithm'], Verify>> = {
  'rsa-pss-sha256': (key, message, signature) =>
    verify('sha256', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT }, signature),
  'ecdsa-sha256': (key, message, signature) => verify('sha256', message, { key, dsaEncoding: 'der' }, signature),
  'ecdsa-sha384': (key, message, signature) => verify('sha384', message, { key, dsaEncoding: 'der' }, signature),
  ed25519: (key, message, signature) => verify(null, message, key, signature),
};

type Sign = (key: KeyObject, message: Uint8Array) => Uint8Array;

const SIGN: Readonly<Record<SignatureRequest['algorithm'], Sign>> = {
  'rsa-pss-sha256': (key, message) =>
    sign('sha256', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT }),
  'ecdsa-sha256': (key, message) => sign('sha256', message, { key, dsaEncoding: 'der' }),
  'ecdsa-sha384': (key, message) => sign('sha384', message, { key, dsaEncoding: 'der' }),
  ed25519: (key, message) => sign(null, message, key),
};

/** Signs with a private key that is in memory. */
export function signRequest({ algorithm, message }: SignatureRequest, privateKey: KeyObject): Uint8Array {
  return SIGN[algorithm](privateKey, message);
}

/** Bytes a key signs, and their digest. */
export interface SignedBytes {
  readonly covered: Uint8Array;
  readonly digest: Uint8Array;
  /** Ed25519 over the image instead of over its digest. */
  readonly pure: boolean;
}

/** RSA and ECDSA sign the covered bytes; Ed25519 signs their digest as its message, or them when pure. */
export function signatureRequest({ kind }: McubootPublicKey, { covered, digest, pure }: SignedBytes): SignatureRequest {
  return { algorithm: ALGORITHM[kind], message: kind === 'ed25519' && !pure ? digest : covered };
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
  if (!VERIFY[algorithm](key.key, message, exactSignature(key, signature, padded))) {
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
