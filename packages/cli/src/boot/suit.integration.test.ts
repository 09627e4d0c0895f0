import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boot } from './sample-boot.ts';

const VECTORS = path.resolve(import.meta.dirname, '../../../wire/vectors');
let folder = '';
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-suit-'));
  writeFileSync(at('image.bin'), 'a signed image');
  await boot(['keygen', '--type', 'ecdsa-p256', at('key')]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
const SAID = [
  '--vid',
  'vendor.example',
  '--cid',
  'lamp',
  '--sequence',
  '9',
  '--uri',
  'https://vendor.example/lamp.bin',
];
const describeImage = (key = at('key'), more: readonly string[] = []) =>
  boot(['suit', at('image.bin'), at('image.suit'), '--key', key, ...SAID, ...more]);
const verify = (...more: readonly string[]) => boot(['verify-suit', at('image.suit'), '--key', at('key.pub'), ...more]);

describe('holdfast boot suit', () => {
  it('describes an image, and the envelope is accepted with that image alone', async () => {
    const made = await describeImage(at('key'), ['--json']);
    expect(JSON.parse(made.out)).toMatchObject({ sequence: 9, size: 14, uri: 'https://vendor.example/lamp.bin' });
    expect(await verify(at('image.bin'), '--min-sequence', '9', '--json')).toMatchObject({ exit: 0, out: made.out });
    expect((await verify('--min-sequence', '10')).code).toBe('boot.counter_too_low');
    writeFileSync(at('image.bin'), 'another image!');
    expect((await verify(at('image.bin'))).code).toBe('boot.hash_mismatch');
    const changed = readFileSync(at('image.suit'));
    changed[changed.length - 40] = (changed[changed.length - 40] ?? 0) ^ 1;
    writeFileSync(at('image.suit'), changed);
    expect((await verify()).exit).toBeGreaterThan(0);
  });

  it('reads the class from the vendor as the draft does', async () => {
    const { out } = await boot([
      'verify-suit',
      path.join(VECTORS, 'suit/example0.suit'),
      '--key',
      path.join(VECTORS, 'suit/key.pem'),
      '--json',
    ]);
    expect(JSON.parse(out)).toMatchObject({ vendorId: 'fa6b4a53d5ad5fdfbe9de663e4d41ffe', size: 34_768 });
  });

  it('signs with no public half, no published key and no RSA key', async () => {
    expect((await describeImage(at('key.pub'))).code).toBe('boot.private_key_needed');
    expect((await describeImage(path.join(VECTORS, 'mcuboot/keys/root-ec-p256.pem'))).code).toBe('boot.test_key');
    await boot(['keygen', '--type', 'rsa-2048', at('rsa')]);
    expect((await describeImage(at('rsa'))).code).toBe('boot.unsupported_key');
  });
});
