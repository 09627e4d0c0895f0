import { createPrivateKey } from 'node:crypto';
import { HoldfastError, type Random } from '@holdfast/kernel';
import { encodePem } from '@holdfast/wire/pem';
import { encodeEncryptedKey, sealPbes2 } from './pbes2.ts';
import { PrivateKey } from './private-key.ts';

/** OWASP's figure for PBKDF2-HMAC-SHA256; OpenSSL's own 2048 would leave a short passphrase to a graphics card. */
const ITERATIONS = 600_000;

/** EncryptedPrivateKeyInfo (RFC 5958 3) by PBES2 (RFC 8018 6.2) as PEM: a key to carry about, opened by a passphrase. */
export async function exportEncryptedPem(key: PrivateKey, passphrase: string, random: Random): Promise<string> {
  const sealed = await sealPbes2(key.exportPkcs8(), { password: passphrase, iterations: ITERATIONS, random });
  return encodePem('ENCRYPTED PRIVATE KEY', encodeEncryptedKey(sealed));
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
