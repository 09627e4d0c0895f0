import { createPublicKey, type KeyObject } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { MCUBOOT_KEY_RULES, type McubootHash, type McubootKeyKind, type McubootKeyRule } from '@holdfast/wire/mcuboot';
import { decodeSpki, type PublicKeyKind } from '@holdfast/wire/x509';
import { importAnyPublicKey, type PublicKey } from '../keys/public-key.ts';
import { plainBytes } from '../primitives/bytes.ts';
import { digest } from '../primitives/hash.ts';

/** A public key as boot code knows it. */
export interface McubootPublicKey {
  readonly kind: McubootKeyKind;
  readonly rule: McubootKeyRule;
  readonly key: PublicKey;
  /** PKCS#1 RSAPublicKey for RSA, SubjectPublicKeyInfo for the others: what PUBKEY holds and KEYHASH hashes. */
  readonly bytes: Uint8Array;
  readonly hashes: Readonly<Record<McubootHash, Uint8Array>>;
}

/**
 * Reads a public key, or the public half of a private one.
 *
 * @param source - a key of node:crypto, or SubjectPublicKeyInfo DER.
 * @throws `boot.unsupported_key` for a kind or size that MCUboot does not know.
 * @throws `crypto.bad_key`, `crypto.weak_key`
 */
export function mcubootPublicKey(source: KeyObject | Uint8Array): McubootPublicKey {
  const key = importAnyPublicKey(source instanceof Uint8Array ? source : exportSpki(source));
  const kind = mcubootKeyKind(key.kind);
  if (key.weakness !== undefined) throw new HoldfastError('crypto.weak_key', { reason: key.weakness });
  const bytes = kind.startsWith('rsa') ? decodeSpki(key.spki).key : key.spki;
  const hashes = {
    sha256: digest('sha256', bytes),
    sha384: digest('sha384', bytes),
    sha512: digest('sha512', bytes),
  };
  return { kind, rule: MCUBOOT_KEY_RULES[kind], key, bytes, hashes };
}

const EC_KINDS: Readonly<Record<string, McubootKeyKind>> = { 'P-256': 'ecdsa-p256', 'P-384': 'ecdsa-p384' };
const RSA_KINDS: Readonly<Record<number, McubootKeyKind>> = { 2048: 'rsa-2048', 3072: 'rsa-3072' };

function mcubootKeyKind(key: PublicKeyKind): McubootKeyKind {
  const kind =
    key.kind === 'ec' ? EC_KINDS[key.curve] : key.kind === 'rsa' ? RSA_KINDS[key.modulusBits] : edwardsKind(key);
  if (kind === undefined) throw new HoldfastError('boot.unsupported_key', { kind: key.kind });
  return kind;
}

function edwardsKind(key: PublicKeyKind): McubootKeyKind | undefined {
  return key.kind === 'ed25519' ? 'ed25519' : undefined;
}

function exportSpki(key: KeyObject): Uint8Array {
  return plainBytes((key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' }));
}
