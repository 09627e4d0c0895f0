import { createPublicKey, type KeyObject } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { MCUBOOT_KEY_RULES, type McubootHash, type McubootKeyKind, type McubootKeyRule } from '@holdfast/wire/mcuboot';
import { digest } from './digest.ts';

/** A public key as boot code knows it. */
export interface McubootPublicKey {
  readonly kind: McubootKeyKind;
  readonly rule: McubootKeyRule;
  readonly key: KeyObject;
  /** PKCS#1 RSAPublicKey for RSA, SubjectPublicKeyInfo for the others: what PUBKEY holds and KEYHASH hashes. */
  readonly bytes: Uint8Array;
  readonly hashes: Readonly<Record<McubootHash, Uint8Array>>;
}

/**
 * Reads a public key, or the public half of a private one.
 *
 * @throws `boot.unsupported_key` for a kind or size that MCUboot does not know.
 */
export function mcubootPublicKey(source: KeyObject): McubootPublicKey {
  const key = source.type === 'private' ? createPublicKey(source) : source;
  const kind = mcubootKeyKind(key);
  const bytes = exportKey(key, kind);
  const hashes = {
    sha256: digest('sha256', bytes),
    sha384: digest('sha384', bytes),
    sha512: digest('sha512', bytes),
  };
  return { kind, rule: MCUBOOT_KEY_RULES[kind], key, bytes, hashes };
}

/** @throws `boot.unsupported_key` for a kind or size that MCUboot does not sign with. */
export function mcubootKeyKind(key: KeyObject): McubootKeyKind {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return 'ed25519';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ecdsa-p256';
  if (type === 'ec' && details?.namedCurve === 'secp384r1') return 'ecdsa-p384';
  if (type === 'rsa' && details?.modulusLength === 2048) return 'rsa-2048';
  if (type === 'rsa' && details?.modulusLength === 3072) return 'rsa-3072';
  throw new HoldfastError('boot.unsupported_key', { type, curve: details?.namedCurve, bits: details?.modulusLength });
}

function exportKey(key: KeyObject, kind: McubootKeyKind): Uint8Array {
  return Uint8Array.from(key.export({ type: kind.startsWith('rsa') ? 'pkcs1' : 'spki', format: 'der' }));
}
