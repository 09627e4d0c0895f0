import { readFileSync } from 'node:fs';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { espPublicKey, nordicPublicKey, nsibKeyHash, nxpPublicKey, nxpRootKeyTableHash } from '@holdfast/crypto';
import { decodeNsibProvision } from '@holdfast/wire/nordic';
import { decodeNxpCmpa } from '@holdfast/wire/nxp';
import { decodePemBlocks } from '@holdfast/wire/pem';
import { describe, expect, it } from 'vitest';
import { exportKeySet, KEY_SET_FORMS, type KeySetExportOptions, type PlacedKey } from './index.ts';

const spkiOf = (key: KeyObject): Uint8Array => Uint8Array.from(key.export({ type: 'spki', format: 'der' }));
const ec = (): Uint8Array => spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
const rsa = (bits: number): Uint8Array => spkiOf(generateKeyPairSync('rsa', { modulusLength: bits }).publicKey);
const placed = (...keys: readonly Uint8Array[]): PlacedKey[] =>
  keys.map((spki, slot) => ({ spki, slot, revoked: false }));
const revoking = (keys: readonly PlacedKey[], slot: number): PlacedKey[] =>
  keys.map((key) => (key.slot === slot ? { ...key, revoked: true } : key));
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const refused = expect.objectContaining({ code: 'boot.bad_option' });

function files(form: string, keys: readonly PlacedKey[], options?: KeySetExportOptions): Record<string, Uint8Array> {
  return Object.fromEntries(exportKeySet(form, keys, options).map(({ name, bytes }) => [name, bytes]));
}

describe('a key set as files', () => {
  const two = placed(ec(), ec());

  it('is the array MCUboot is built with, without revoked keys', () => {
    const source = text(files('mcuboot-c', two)['keys.c']);
    expect(source).toContain('const int bootutil_key_cnt = 2;');
    expect(source).toContain('{ .key = ecdsa_pub_key_1, .len = &ecdsa_pub_key_1_len },');
    const less = text(files('mcuboot-c', revoking(two, 0))['keys.c']);
    expect(less).toContain('const int bootutil_key_cnt = 1;');
    expect(less).not.toContain('ecdsa_pub_key_0');
  });

  it('is the digests of an ESP32, each in its place, as espsecure made them', () => {
    const vectors = new URL('../../../wire/vectors/esp32/', import.meta.url);
    const pem = readFileSync(new URL('rsa3072.pem', vectors));
    const made = files('esp32-efuse', revoking(placed(spkiOf(createPublicKey(pem)), ec(), rsa(3072)), 1));
    expect(made['digest0.bin']).toEqual(new Uint8Array(readFileSync(new URL('digest-rsa3072.bin', vectors))));
    expect(text(made['espefuse.txt']).trim().split('\n')).toEqual([
      'burn-key BLOCK_KEY0 digest0.bin SECURE_BOOT_DIGEST0',
      'burn-key BLOCK_KEY1 digest1.bin SECURE_BOOT_DIGEST1',
      'burn-key BLOCK_KEY2 digest2.bin SECURE_BOOT_DIGEST2',
      'burn-efuse SECURE_BOOT_KEY_REVOKE1 1',
    ]);
    expect(made['digest1.bin']).toHaveLength(espPublicKey(two[0]?.spki ?? ec()).digest.length);
  });

  it('is the page of an LPC55S69 with the hash of its table; a revoked key stays in the table', () => {
    const keys = placed(rsa(2048), rsa(2048));
    const table = nxpRootKeyTableHash(keys.map(({ spki }) => nxpPublicKey(spki).hash));
    const made = files('nxp-cmpa', revoking(keys, 1));
    const page = decodeNxpCmpa(made['cmpa.bin'] ?? new Uint8Array(0));
    expect(page).toMatchObject({ secureBoot: true, rsa4096Only: false, sealed: false });
    expect(page.rootKeyTableHash).toEqual(table);
    expect(made['rotkh.bin']).toEqual(table);
    expect(text(made['root-keys.txt'])).toContain('ROTKH_REVOKE: root key 1');
  });

  it('is the provision page of nRF chips, in order of place', () => {
    const page = files('nrf-provision', two, { s0Address: 0x8000, s1Address: 0x80000 })['provision.bin'];
    expect(decodeNsibProvision(page ?? new Uint8Array(0))).toMatchObject({
      s0Address: 0x8000,
      keyHashes: two.map(({ spki }) => nsibKeyHash(nordicPublicKey(spki))),
    });
    expect(() => files('nrf-provision', two)).toThrow(refused);
  });

  it('is JWKs and the part of a PSoC 64 policy that names them', () => {
    const made = files('psoc64-jwk', two);
    expect(JSON.parse(text(made['key_9.json']))).toMatchObject({ kty: 'EC', crv: 'P-256', kid: '9' });
    expect(JSON.parse(text(made['policy-keys.json']))).toMatchObject({
      boot_upgrade: { firmware: [{ boot_auth: [8, 9], boot_keys: [{ kid: 8, key: 'key_8.json' }, { kid: 9 }] }] },
    });
  });

  it('is PEM that reads back', () => {
    const blocks = decodePemBlocks(text(files('pem', two)['keys.pem']));
    expect(blocks.map(({ bytes }) => Uint8Array.from(bytes))).toEqual(two.map(({ spki }) => spki));
  });

  it.each(KEY_SET_FORMS)('%s refuses no key, only revoked ones, a gap, and more than the chip has room for', (form) => {
    const options = { s0Address: 0, s1Address: 1 };
    const gap = two.map((key) => ({ ...key, slot: key.slot + 1 }));
    const many = Array.from({ length: 65 }, (_, slot) => ({ spki: two[0]?.spki ?? ec(), slot, revoked: false }));
    for (const keys of [[], revoking(revoking(two, 0), 1), gap, many])
      expect(() => files(form, keys, options)).toThrow(refused);
  });

  it('refuses a form nobody has', () => {
    expect(() => files('toml', two)).toThrow(refused);
  });
});
