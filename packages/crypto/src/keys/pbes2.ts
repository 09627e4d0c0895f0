import { createCipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '@holdfast/kernel';
import { encodeInteger, encodeNull, encodeOctetString, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import { plainBytes } from '../primitives/bytes.ts';

const derive = promisify(pbkdf2);

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const HMAC_SHA256 = '1.2.840.113549.2.9';
const AES256_CBC = '2.16.840.1.101.3.4.1.42';

export interface PasswordEncryption {
  readonly password: string;
  /** Rounds of PBKDF2-HMAC-SHA256: what one guess of the password costs. */
  readonly iterations: number;
  readonly random: Random;
}

/** What PBES2 made of some bytes, and the DER AlgorithmIdentifier that says how. */
export interface PasswordSealed {
  readonly algorithm: Uint8Array<ArrayBuffer>;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
}

/** AES-256-CBC under PBKDF2-HMAC-SHA256. @see RFC 8018 section 6.2 */
export async function sealPbes2(plain: Uint8Array, by: PasswordEncryption): Promise<PasswordSealed> {
  const salt = by.random.bytes(16);
  const iv = by.random.bytes(16);
  const cipher = createCipheriv('aes-256-cbc', await derive(by.password, salt, by.iterations, 32, 'sha256'), iv);
  const ciphertext = plainBytes(Buffer.concat([cipher.update(plain), cipher.final()]));
  const derivation = encodeSequence(
    encodeOid(PBKDF2),
    encodeSequence(
      encodeOctetString(salt),
      encodeInteger(by.iterations),
      encodeSequence(encodeOid(HMAC_SHA256), encodeNull()),
    ),
  );
  const encryption = encodeSequence(encodeOid(AES256_CBC), encodeOctetString(iv));
  return { algorithm: encodeSequence(encodeOid(PBES2), encodeSequence(derivation, encryption)), ciphertext };
}

/** EncryptedPrivateKeyInfo, DER (RFC 5958 section 3). */
export function encodeEncryptedKey({ algorithm, ciphertext }: PasswordSealed): Uint8Array<ArrayBuffer> {
  return encodeSequence(algorithm, encodeOctetString(ciphertext));
}
