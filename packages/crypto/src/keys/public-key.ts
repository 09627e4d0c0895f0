import { createPublicKey, type KeyObject } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import { decodeSpki, type PublicKeyKind, publicKeyKind, type SubjectPublicKeyInfo } from '@holdfast/wire/x509';
import { keyWeakness, type KeyWeakness } from './weakness.ts';

/** An imported public key: hold it, since importing costs as much as a verification. */
export interface PublicKey {
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
  readonly kind: PublicKeyKind;
  readonly keyObject: KeyObject;
  readonly weakness: KeyWeakness | undefined;
}

/**
 * Imports a SubjectPublicKeyInfo that may be trusted for verifying.
 *
 * @throws `crypto.bad_key` when it is not a key: a broken encoding, an explicit curve, a point off its curve.
 * @throws `crypto.weak_key` when it is one we refuse (`keyWeakness`).
 */
export function importPublicKey(spki: Uint8Array): PublicKey {
  const key = importAnyPublicKey(spki);
  if (key.weakness !== undefined) throw new HoldfastError('crypto.weak_key', { reason: key.weakness });
  return key;
}

/** As `importPublicKey` for a `PUBLIC KEY` PEM block. */
export function importPublicKeyPem(pem: string | Uint8Array): PublicKey {
  return importPublicKey(decodePem(pem, 'PUBLIC KEY'));
}

/** Imports a key without refusing a weak one, so that a caller's policy can say why. @throws `crypto.bad_key` */
export function importAnyPublicKey(spki: Uint8Array | SubjectPublicKeyInfo): PublicKey {
  try {
    const info = spki instanceof Uint8Array ? decodeSpki(spki) : spki;
    const kind = publicKeyKind(info);
    // Also where OpenSSL checks that the point lies on its curve. As PEM text at half the cost of DER: of an options
    // object Node finds out by two exceptions that it is no key object.
    const keyObject = createPublicKey(encodePem('PUBLIC KEY', info.raw));
    return { spki: info.raw, kind, keyObject, weakness: keyWeakness(kind) };
  } catch (cause) {
    throw new HoldfastError('crypto.bad_key', {}, { cause });
  }
}
