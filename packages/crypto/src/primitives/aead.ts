import { createCipheriv, createDecipheriv } from 'node:crypto';
import { HoldfastError } from '@holdfast/kernel';
import { plainBytes, secretKey } from './bytes.ts';

export const GCM_NONCE = 12;
export const GCM_TAG = 16;
const EMPTY = new Uint8Array(0);
/** Node gives each step a buffer of its own: of a large one the first touch of its pages costs more than AES. */
const STEP = 128 * 1024;

export interface AeadInput {
  /** 16 or 32 octets. */
  readonly key: Uint8Array;
  /** 12 octets, never used twice with one key. */
  readonly nonce: Uint8Array;
  readonly aad?: Uint8Array;
}

/** AES-GCM: ciphertext followed by the 16-octet tag (NIST SP 800-38D). @throws `crypto.bad_key` for other sizes. */
export function sealAesGcm(input: AeadInput, plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv(cipherName(input), secretKey(input.key), input.nonce, { authTagLength: GCM_TAG });
  cipher.setAAD(input.aad ?? EMPTY);
  const sealed = Buffer.allocUnsafeSlow(plaintext.length + GCM_TAG);
  for (let at = 0; at < plaintext.length; at += STEP) sealed.set(cipher.update(plaintext.subarray(at, at + STEP)), at);
  // GCM holds nothing back: what ends it is empty.
  cipher.final();
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return plainBytes(sealed);
}

/** @throws `crypto.open_failed` when anything that was bound differs; no plaintext is given out before the tag is checked. */
export function openAesGcm(input: AeadInput, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
  const name = cipherName(input);
  if (sealed.length < GCM_TAG) throw new HoldfastError('crypto.open_failed', { reason: 'too short' });
  const end = sealed.length - GCM_TAG;
  const decipher = createDecipheriv(name, secretKey(input.key), input.nonce, { authTagLength: GCM_TAG });
  decipher.setAAD(input.aad ?? EMPTY);
  decipher.setAuthTag(sealed.subarray(end));
  const plaintext = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch (cause) {
    throw new HoldfastError('crypto.open_failed', { reason: 'tag' }, { cause });
  }
  return plainBytes(plaintext);
}

function cipherName({ key, nonce }: AeadInput): 'aes-128-gcm' | 'aes-256-gcm' {
  if ((key.length !== 16 && key.length !== 32) || nonce.length !== GCM_NONCE) {
    throw new HoldfastError('crypto.bad_key', { field: 'aes-gcm', key: key.length, nonce: nonce.length });
  }
  return key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm';
}
