import { concatBytes, HoldfastError, type Random } from '@holdfast/kernel';
import { GCM_NONCE, openAesGcm, sealAesGcm } from '../primitives/aead.ts';

/** One version of a key that wraps data keys: in memory, in a token, or in a service. */
export interface KeyEncryptionKey {
  readonly keyId: string;
  readonly version: number;
  /** Wraps a 32-octet data key, bound to `aad`. */
  wrap(dataKey: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
  /** @throws `crypto.open_failed` for another wrapping, key or `aad`. */
  unwrap(wrapped: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
}

/** Finds a key version; undefined when the keyring does not hold it, or no longer. */
export type KeyLookup = (
  keyId: string,
  version: number,
) => KeyEncryptionKey | undefined | Promise<KeyEncryptionKey | undefined>;

/**
 * A key version held in this process's memory.
 *
 * Nonces are random, so the keyring rotates before 2^31 wraps (NIST SP 800-38D 8.3 allows 2^32).
 *
 * @param secret - 32 octets.
 */
export function localKey(keyId: string, version: number, secret: Uint8Array, random: Random): KeyEncryptionKey {
  if (secret.length !== 32) throw new HoldfastError('crypto.bad_key', { field: 'key encryption key' });
  return {
    keyId,
    version,
    async wrap(dataKey, aad) {
      const nonce = random.bytes(GCM_NONCE);
      return concatBytes(nonce, sealAesGcm({ key: secret, nonce, aad }, dataKey));
    },
    async unwrap(wrapped, aad) {
      const nonce = wrapped.subarray(0, GCM_NONCE);
      if (nonce.length < GCM_NONCE) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
      return openAesGcm({ key: secret, nonce, aad }, wrapped.subarray(GCM_NONCE));
    },
  };
}
