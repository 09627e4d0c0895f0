import { createCipheriv, createPrivateKey, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError, type Random } from '@holdfast/kernel';
import { encodeInteger, encodeNull, encodeOctetString, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import { encodePem } from '@holdfast/wire/pem';
import { plainBytes } from '../primitives/bytes.ts';
import { PrivateKey } from './private-key.ts';

const derive = promisify(pbkdf2);

/** OWASP's figure for PBKDF2-HMAC-SHA256; OpenSSL's own 2048 would leave a short passphrase to a graphics card. */
const ITERATIONS = 600_000;
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const HMAC_SHA256 = '1.2.840.113549.2.9';
const AES256_CBC = '2.16.840.1.101.3.4.1.42';

/** EncryptedPrivateKeyInfo (RFC 5958 3) by PBES2 (RFC 8018 6.2) as PEM: a key to carry about, opened by a passphrase. */
export async function exportEncryptedPem(key: PrivateKey, passphrase: string, random: Random): Promise<string> {
  const salt = random.bytes(16);
  const iv = random.bytes(16);
  const cipher = createCipheriv('aes-256-cbc', await derive(passphrase, salt, ITERATIONS, 32, 'sha256'), iv);
  const sealed = plainBytes(Buffer.concat([cipher.update(key.exportPkcs8()), cipher.final()]));
  const derivation = encodeSequence(
    encodeOid(PBKDF2),
    encodeSequence(
      encodeOctetString(salt),
      encodeInteger(ITERATIONS),
      encodeSequence(encodeOid(HMAC_SHA256), encodeNull()),
    ),
  );
  const encryption = encodeSequence(encodeOid(AES256_CBC), encodeOctetString(iv));
  const algorithm = encodeSequence(encodeOid(PBES2), encodeSequence(derivation, encryption));
  return encodePem('ENCRYPTED PRIVATE KEY', encodeSequence(algorithm, encodeOctetString(sealed)));
}

/** @throws `crypto.bad_key` for a wrong passphrase and for anything but an encrypted PKCS #8 key */
export function importEncryptedPem(pem: string, passphrase: string): PrivateKey {
  try {
    if (!pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----')) throw new TypeError('not encrypted');
    return new PrivateKey(createPrivateKey({ key: pem, passphrase }));
  } catch (cause) {
    throw new HoldfastError('crypto.bad_key', {}, { cause });
  }
}
