import { createHash } from 'node:crypto';
import { concatBytes } from '@holdfast/kernel';
import { toBmp } from '@holdfast/wire/pkcs12';

const BLOCK = 64;
const LENGTH = 32;

/** What the derived bytes are for (RFC 7292 appendix B.3). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

/**
 * The password-based derivation of PKCS #12 with SHA-256, for one block of output.
 *
 * @returns 32 bytes.
 * @see RFC 7292 appendix B.2
 */
export function derivePkcs12Key(
  password: string,
  salt: Uint8Array,
  given: { readonly iterations: number; readonly purpose: number },
): Uint8Array {
  const text = concatBytes(toBmp(password), Uint8Array.of(0, 0));
  let digest = concatBytes(new Uint8Array(BLOCK).fill(given.purpose), repeat(salt), repeat(text));
  for (let round = 0; round < given.iterations; round++) {
    digest = new Uint8Array(createHash('sha256').update(digest).digest());
  }
  return digest.subarray(0, LENGTH);
}

/** As often as whole blocks need it. */
function repeat(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK);
  for (let at = 0; at < whole.length; at++) whole[at] = bytes[at % bytes.length] ?? 0;
  return whole;
}
