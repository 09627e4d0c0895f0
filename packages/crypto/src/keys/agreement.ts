import { constants, diffieHellman, privateDecrypt, publicEncrypt } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { plainBytes } from '../primitives/bytes.ts';
import type { HashAlgorithm } from '../primitives/hash.ts';
import type { PrivateKey } from './private-key.ts';
import type { PublicKey } from './public-key.ts';

/**
 * The raw shared secret of ECDH (SEC 1 3.3.1) or X25519 (RFC 7748 6.1); derive keys from it, never use it as one.
 *
 * @throws `crypto.bad_key` when the keys are of different kinds, or X25519 gives all zeros (a low-order point).
 */
export function agreeSecret(own: PrivateKey, peer: PublicKey): Uint8Array<ArrayBuffer> {
  const [mine, theirs] = [own.publicKey.kind, peer.kind];
  const isMatch =
    (mine.kind === 'ec' && theirs.kind === 'ec' && mine.curve === theirs.curve) ||
    (mine.kind === 'x25519' && theirs.kind === 'x25519');
  if (!isMatch) throw new HoldfastError('crypto.bad_key', { field: 'agreement' });
  try {
    return plainBytes(diffieHellman({ privateKey: own.keyObject, publicKey: peer.keyObject }));
  } catch (cause) {
    throw new HoldfastError('crypto.bad_key', { field: 'agreement' }, { cause });
  }
}

export interface OaepOptions {
  readonly hash: HashAlgorithm;
  readonly label?: Uint8Array;
}

/** RSAES-OAEP with MGF1 of the same hash (RFC 8017 7.1). */
export function encryptOaep(key: PublicKey, plaintext: Uint8Array, options: OaepOptions): Uint8Array<ArrayBuffer> {
  try {
    return plainBytes(publicEncrypt({ key: key.keyObject, ...oaep(options) }, plaintext));
  } catch (cause) {
    throw new HoldfastError('crypto.bad_key', { field: 'oaep' }, { cause });
  }
}

/** @throws `crypto.open_failed`, the same whatever failed, so that nobody can ask it questions. */
export function decryptOaep(key: PrivateKey, ciphertext: Uint8Array, options: OaepOptions): Uint8Array<ArrayBuffer> {
  try {
    return plainBytes(privateDecrypt({ key: key.keyObject, ...oaep(options) }, ciphertext));
  } catch (cause) {
    throw new HoldfastError('crypto.open_failed', {}, { cause });
  }
}

function oaep({ hash, label }: OaepOptions) {
  const base = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash };
  return label === undefined ? base : { ...base, oaepLabel: label };
}
