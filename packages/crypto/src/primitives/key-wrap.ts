import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes, HoldfastError } from '@holdfast/kernel';

const MODES = {
  /** RFC 3394; the wrapped key is at least two blocks of 8, its wrapping at least 24 octets. */
  plain: { iv: Uint8Array.from({ length: 8 }, () => 0xa6), suffix: 'wrap', minimum: 16, step: 8 },
  /** RFC 5649; any length from 1. */
  padded: { iv: Uint8Array.of(0xa6, 0x59, 0x59, 0xa6), suffix: 'wrap-pad', minimum: 1, step: 1 },
} as const;

export type KeyWrapMode = keyof typeof MODES;

/** AES key wrap. @throws `crypto.bad_key` for a wrapping key that is not an AES key or a key of a length the mode cannot take. */
export function wrapKey(mode: KeyWrapMode, wrappingKey: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const { minimum, step, iv } = MODES[mode];
  if (key.length < minimum || key.length % step !== 0) {
    throw new HoldfastError('crypto.bad_key', { field: 'key', length: key.length });
  }
  const cipher = createCipheriv(cipherName(mode, wrappingKey), wrappingKey, iv);
  return concatBytes(cipher.update(key), cipher.final());
}

/**
 * Undoes `wrapKey`.
 *
 * @throws `crypto.open_failed` when the integrity check fails or the length is impossible; OpenSSL alone would
 * turn an empty wrapping into an empty key (Wycheproof aes_wrap, ShortKey).
 */
export function unwrapKey(mode: KeyWrapMode, wrappingKey: Uint8Array, wrapped: Uint8Array): Uint8Array<ArrayBuffer> {
  const name = cipherName(mode, wrappingKey);
  const minimum = mode === 'plain' ? 24 : 16;
  if (wrapped.length < minimum || wrapped.length % 8 !== 0) {
    throw new HoldfastError('crypto.open_failed', { reason: 'length', length: wrapped.length });
  }
  try {
    const decipher = createDecipheriv(name, wrappingKey, MODES[mode].iv);
    return concatBytes(decipher.update(wrapped), decipher.final());
  } catch (cause) {
    throw new HoldfastError('crypto.open_failed', { reason: 'key wrap' }, { cause });
  }
}

function cipherName(mode: KeyWrapMode, key: Uint8Array): string {
  if (![16, 24, 32].includes(key.length)) throw new HoldfastError('crypto.bad_key', { field: 'wrapping key' });
  return `id-aes${8 * key.length}-${MODES[mode].suffix}`;
}
