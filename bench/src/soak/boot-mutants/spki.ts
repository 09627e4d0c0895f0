import { createPublicKey, type KeyObject } from 'node:crypto';

/** SubjectPublicKeyInfo, DER, of a private key. */
export function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}
