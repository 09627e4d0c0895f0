import { execFileSync } from 'node:child_process';
import { systemRandom } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { exportEncryptedPem, generatePrivateKey, importEncryptedPem } from '../index.ts';

describe('an encrypted private key', () => {
  it('comes back by its passphrase alone, here and in openssl', async () => {
    const key = await generatePrivateKey('P-256');
    const pem = await exportEncryptedPem(key, 'correct horse', systemRandom);
    expect(importEncryptedPem(pem, 'correct horse').exportPkcs8()).toEqual(key.exportPkcs8());
    expect(() => importEncryptedPem(pem, 'wrong horse')).toThrowError(
      expect.objectContaining({ code: 'crypto.bad_key' }),
    );
    const opened = execFileSync('openssl', ['pkey', '-passin', 'env:PASS', '-pubout', '-outform', 'DER'], {
      input: pem,
      env: { ...process.env, PASS: 'correct horse' },
    });
    expect(new Uint8Array(opened)).toEqual(key.publicKey.spki);
  });

  it('is refused when it is not encrypted at all', async () => {
    const key = await generatePrivateKey('P-256');
    expect(() => importEncryptedPem(key.exportPem(), 'x')).toThrowError(
      expect.objectContaining({ code: 'crypto.bad_key' }),
    );
  });
});
