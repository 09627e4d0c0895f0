import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { encodeHex, systemRandom } from '@holdfast/kernel';
import { decodePfx } from '@holdfast/wire/pkcs12';
import { describe, expect, it } from 'vitest';
import { issueCertificate } from '../issuance/certificate.ts';
import { deviceInput, deviceKey, root, rootSigner } from '../issuance/sample-authority.ts';
import { hmac } from '../primitives/hash.ts';
import { derivePkcs12Key, exportPkcs12 } from './index.ts';

const PASSWORD = 'correct horse é';
const der = await issueCertificate(deviceInput(), rootSigner);
const given = {
  key: deviceKey,
  chain: [der, root.raw],
  friendlyName: 'lamp-1',
  iterations: 2048,
  random: systemRandom,
};

describe('the derivation of PKCS #12', () => {
  it('makes the MAC of a file by OpenSSL', () => {
    const file = new Uint8Array(readFileSync(new URL('../../../wire/vectors/pkcs12/openssl.p12', import.meta.url)));
    const { mac, authenticatedSafe } = decodePfx(file);
    const key = derivePkcs12Key('openssl-made', mac.salt, { iterations: mac.iterations, purpose: 3 });
    expect(encodeHex(hmac('sha256', key, authenticatedSafe))).toBe(encodeHex(mac.digest));
  });
});

describe('a PKCS #12 file of ours', () => {
  it('is taken by TLS with its password', async () => {
    const file = await exportPkcs12({ ...given, password: PASSWORD });
    expect(createSecureContext({ pfx: Buffer.from(file), passphrase: PASSWORD })).toBeDefined();
  });

  it('is refused under another password, and when any part of it was changed', async () => {
    const file = await exportPkcs12({ ...given, password: PASSWORD });
    expect(() => createSecureContext({ pfx: Buffer.from(file), passphrase: 'wrong' })).toThrow();
    for (const at of [300, Math.floor(file.length / 2), file.length - 60]) {
      const altered = Buffer.from(file);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(() => createSecureContext({ pfx: altered, passphrase: PASSWORD })).toThrow();
    }
  });

  it('never encrypts with one salt twice', async () => {
    const [one, other] = await Promise.all([
      exportPkcs12({ ...given, password: PASSWORD }),
      exportPkcs12({ ...given, password: PASSWORD }),
    ]);
    expect(encodeHex(one)).not.toBe(encodeHex(other));
    expect(encodeHex(one)).not.toContain(encodeHex(deviceKey.exportPkcs8()));
  });
});
