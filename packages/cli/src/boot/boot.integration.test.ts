import { createPrivateKey, sign } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boot } from './sample-boot.ts';

const VECTORS = path.resolve(import.meta.dirname, '../../../wire/vectors/mcuboot');
const vector = (name: string): string => path.join(VECTORS, name);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-boot-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);

const SIGN = ['--format', 'mcuboot', '--version', '1.2.3+4', '--header-size', '0x200', '--pad-header'];
const signWith = (key: string, output: string, more: readonly string[] = []) =>
  boot(['sign', vector('app.bin'), output, ...SIGN, '--key', key, ...more]);
const verifyWith = (key: string, file: string, more: readonly string[] = []) =>
  boot(['verify', file, '--format', 'mcuboot', '--key', key, ...more]);

describe('holdfast boot keygen', () => {
  it.each(['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-2048', 'rsa-3072'])(
    'makes a key of type %s that signs images its public half verifies',
    async (type) => {
      expect((await boot(['keygen', '--type', type, at('key')])).exit).toBe(0);
      expect(statSync(at('key')).mode & 0o777).toBe(0o600);
      expect((await signWith(at('key'), at('image.bin'))).exit).toBe(0);
      expect((await verifyWith(at('key.pub'), at('image.bin'))).exit).toBe(0);
    },
  );

  it('never overwrites a key, nor leaves half a pair', async () => {
    writeFileSync(at('key.pub'), 'mine');
    expect(await boot(['keygen', '--type', 'ed25519', at('key')])).toMatchObject({ exit: 65, code: 'cli.file_exists' });
    expect(readdirSync(folder)).toEqual(['key.pub']);
    expect(readFileSync(at('key.pub'), 'utf8')).toBe('mine');
  });

  it('encrypts the private key by a passphrase that never stands on the command line', async () => {
    const secret = ['--passphrase', 'env:SECRET'];
    expect((await boot(['keygen', '--type', 'ed25519', at('key'), ...secret])).exit).toBe(0);
    expect(readFileSync(at('key'), 'utf8')).toContain('ENCRYPTED PRIVATE KEY');
    expect(await signWith(at('key'), at('image.bin'))).toMatchObject({ exit: 65, code: 'boot.bad_key_file' });
    expect((await signWith(at('key'), at('image.bin'), secret)).exit).toBe(0);
    expect((await signWith(at('key'), at('image.bin'), ['--passphrase', 'open sesame'])).code).toBe('boot.bad_option');
  });
});

describe('holdfast boot sign', () => {
  beforeEach(async () => void (await boot(['keygen', '--type', 'ecdsa-p256', at('key')])));

  it('takes a linked program for the flat image its linker made', async () => {
    const linked = path.resolve(VECTORS, '../elf/app.elf');
    const sign = (input: string, output: string) =>
      boot(['sign', input, at(output), ...SIGN, '--key', at('ed'), '--hex-addr', '0x0800c000']);
    await boot(['keygen', '--type', 'ed25519', at('ed')]);
    expect((await sign(linked, 'elf.bin')).exit).toBe(0);
    expect((await sign(path.resolve(VECTORS, '../elf/app.bin'), 'flat.bin')).exit).toBe(0);
    expect(readFileSync(at('elf.bin'))).toEqual(readFileSync(at('flat.bin')));
    writeFileSync(at('cut.elf'), readFileSync(linked).subarray(0, 100));
    expect(await sign(at('cut.elf'), 'cut.bin')).toMatchObject({ exit: 65, code: 'wire.truncated' });
  });

  it('takes every option of the format and says what it made', async () => {
    const options =
      '--slot-size 0x8000 --align 16 --max-align 32 --max-sectors 20 --confirm --security-counter auto ' +
      '--boot-record APP --vid holdfast.example --cid sensor --custom-tlv 0xa0=0xc0ffee --custom-tlv 0xa1=text ' +
      '--public-key-format full --vendor-type 0x81 --custom-tlv 0x81=0x01 --json';
    const dependencies = ['--dependencies', '(1,2.0.0+5), (2,1.0)'];
    const run = await signWith(at('key'), at('image.bin'), [...options.split(' '), ...dependencies]);
    expect(JSON.parse(run.out)).toMatchObject({ kind: 'accepted', version: '1.2.3+4', securityCounter: 16908291 });
    expect(statSync(at('image.bin')).size).toBe(0x8000);
    const checks = ['--min-counter', '16908291', '--vendor-type', '0x81'];
    expect((await verifyWith(at('key.pub'), at('image.bin'), checks)).exit).toBe(0);
  });

  it('works with a key that never comes here', async () => {
    const tbs = await signWith(at('key.pub'), at('unused'), ['--to-be-signed', at('tbs')]);
    expect(tbs.out).toContain('ecdsa-p256-sha256');
    const signature = sign('sha256', readFileSync(at('tbs')), createPrivateKey(readFileSync(at('key'))));
    writeFileSync(at('raw.sig'), signature);
    writeFileSync(at('text.sig'), `${signature.toString('base64')}\n`);
    for (const file of ['raw.sig', 'text.sig']) {
      expect((await signWith(at('key.pub'), at('image.bin'), ['--signature', at(file)])).exit).toBe(0);
      expect((await verifyWith(at('key.pub'), at('image.bin'))).exit).toBe(0);
    }
    expect(readdirSync(folder)).not.toContain('unused');
  });

  it('writes nothing when the signature is not over these bytes', async () => {
    writeFileSync(at('sig'), sign('sha256', Buffer.from('other'), createPrivateKey(readFileSync(at('key')))));
    const run = await signWith(at('key.pub'), at('image.bin'), ['--signature', at('sig')]);
    expect(run).toMatchObject({ exit: 65, code: 'boot.result_refused' });
    expect(readdirSync(folder).toSorted()).toEqual(['key', 'key.pub', 'sig']);
  });

  it('leaves the old output whole when signing fails', async () => {
    writeFileSync(at('image.bin'), 'old');
    expect((await signWith(at('key'), at('image.bin'), ['--slot-size', '100'])).code).toBe('boot.image_too_large');
    expect(readFileSync(at('image.bin'), 'utf8')).toBe('old');
  });

  it('encrypts for a device and verifies with its key', async () => {
    await boot(['keygen', '--type', 'ecdsa-p256', at('device')]);
    expect((await signWith(at('key'), at('image.bin'), ['--encrypt', at('device.pub')])).exit).toBe(0);
    expect((await verifyWith(at('key.pub'), at('image.bin'))).out).toContain('boot.encrypted');
    expect((await verifyWith(at('key.pub'), at('image.bin'), ['--decrypt-key', at('device')])).exit).toBe(0);
  });

  it('reads and writes Intel HEX at the address of the code', async () => {
    expect(
      (await signWith(at('key'), at('one.hex'), ['--hex-addr', '0x8000', '--slot-size', '0x8000', '--pad'])).exit,
    ).toBe(0);
    expect((await verifyWith(at('key.pub'), at('one.hex'))).exit).toBe(0);
    expect(readFileSync(at('one.hex'), 'utf8')).toMatch(/^:10800000/);
    expect((await signWith(at('key'), at('two.hex'))).code).toBe('boot.bad_option');
  });

  it.each([
    ['an unknown format', ['--format', 'constructor'], 'boot.unknown_format', 64],
    ['a bad version', ['--version', '1.2.3.4'], 'boot.bad_version', 64],
    ['a missing slot size', ['--pad'], 'boot.bad_option', 64],
    ['an alignment of three', ['--slot-size', '0x8000', '--align', '3'], 'boot.bad_option', 64],
    ['a bad dependency', ['--dependencies', '(1;2)'], 'boot.bad_option', 64],
    ['a counter that is no number', ['--security-counter', 'many'], 'boot.bad_option', 64],
    ['a missing key', ['--key', '/nonexistent'], 'cli.file_unusable', 66],
    ['a key that is none', ['--key', vector('app.bin')], 'boot.bad_key_file', 65],
    [
      'a public key',
      ['--key', vector('keys/enc-ec256-pub.pem'), '--development-test-keys'],
      'boot.private_key_needed',
      64,
    ],
    ['a published test key', ['--key', vector('keys/root-ec-p256.pem')], 'boot.test_key', 77],
    ['an unknown option', ['--nonsense'], 'usage', 64],
  ])('refuses %s', async (_name, more, code, exit) => {
    const run = await signWith(at('key'), at('image.bin'), more);
    expect(run).toMatchObject({ code, exit });
    expect(readdirSync(folder)).not.toContain('image.bin');
  });
});

describe('holdfast boot for ESP32 chips', () => {
  const espVector = (name: string): string => path.resolve(VECTORS, '../esp32', name);
  const signed = ['--format', 'esp32-v2'];

  it.each(['rsa3072', 'ecdsa192', 'ecdsa256'])('verifies what espsecure signed and signs anew by %s', async (name) => {
    const key = ['--key', espVector(`${name}.pem`)];
    expect((await boot(['verify', espVector(`sbv2-${name}.bin`), ...signed, ...key])).exit).toBe(0);
    expect((await boot(['sign', espVector('raw.bin'), at('image.bin'), ...signed, ...key])).exit).toBe(0);
    const more = ['--append', '--key', espVector(`${name}b.pem`)];
    expect((await boot(['sign', at('image.bin'), at('both.bin'), ...signed, ...more])).exit).toBe(0);
    const verdict = await boot(['verify', at('both.bin'), ...signed, '--key', espVector(`${name}b.pem`), '--json']);
    expect(JSON.parse(verdict.out)).toMatchObject({ kind: 'accepted' });
    expect((await boot(['verify', at('both.bin'), ...signed, ...key, '--max-blocks', '1'])).exit).toBe(1);
    expect((await boot(['inspect', at('both.bin')])).out).toMatch(/block 1\tscheme\t/);
  });

  it('verifies secure boot v1 and no longer makes it', async () => {
    const key = ['--format', 'esp32-v1', '--key', espVector('sbv1.pem')];
    expect((await boot(['verify', espVector('sbv1.bin'), ...key])).exit).toBe(0);
    expect((await boot(['verify', espVector('sbv1.bin'), ...key, '--min-counter', '1'])).out).toContain(
      'boot.counter_missing',
    );
    expect((await boot(['sign', espVector('raw.bin'), at('image.bin'), ...key])).code).toBe(
      'boot.unsupported_operation',
    );
  });

  it('encrypts flash as espsecure does, and back', async () => {
    const place = ['--format', 'esp32-flash', '--key', espVector('k256.bin'), '--address', '0x1000'];
    expect((await boot(['encrypt', espVector('plain.bin'), at('enc'), ...place])).exit).toBe(0);
    expect(readFileSync(at('enc'))).toEqual(readFileSync(espVector('enc-xts128-0x1000.bin')));
    expect((await boot(['encrypt', at('enc'), at('plain'), ...place, '--decrypt'])).exit).toBe(0);
    expect(readFileSync(at('plain'))).toEqual(readFileSync(espVector('plain.bin')));
    const first = [...place, '--scheme', 'esp32', '--flash-crypt-conf', '0xf'];
    expect((await boot(['encrypt', espVector('plain.bin'), at('enc'), ...first])).exit).toBe(0);
    expect(readFileSync(at('enc'))).toEqual(readFileSync(espVector('enc-esp32-0x1000.bin')));
  });

  it('encrypts an NVS partition as the generator of ESP-IDF does, and back', async () => {
    const keys = ['--format', 'esp32-nvs', '--key', espVector('nvs-keys.bin')];
    expect((await boot(['encrypt', espVector('nvs-plain.bin'), at('enc'), ...keys])).exit).toBe(0);
    expect(readFileSync(at('enc'))).toEqual(readFileSync(espVector('nvs-encrypted.bin')));
    expect((await boot(['encrypt', at('enc'), at('plain'), ...keys, '--decrypt'])).exit).toBe(0);
    expect(readFileSync(at('plain'))).toEqual(readFileSync(espVector('nvs-plain.bin')));
    expect(statSync(at('plain')).mode & 0o777).toBe(0o600);
  });

  it('encrypts and signs an MCUboot image in one act', async () => {
    await boot(['keygen', '--type', 'ed25519', at('key')]);
    await boot(['keygen', '--type', 'x25519', at('device')]);
    const options = [...SIGN, '--key', at('key')];
    expect((await boot(['encrypt', vector('app.bin'), at('image'), ...options])).code).toBe('boot.bad_option');
    expect(
      (await boot(['encrypt', vector('app.bin'), at('image'), ...options, '--encrypt', at('device.pub')])).exit,
    ).toBe(0);
    expect((await verifyWith(at('key.pub'), at('image'), ['--decrypt-key', at('device')])).exit).toBe(0);
    expect((await boot(['encrypt', vector('app.bin'), at('x'), '--format', 'toString', '--key', at('key')])).code).toBe(
      'boot.unknown_format',
    );
  });
});

describe('holdfast boot verify', () => {
  it('answers no with the reason, the code and a next step', async () => {
    const run = await verifyWith(vector('keys/root-ec-p256.pem'), vector('neg-payload-bit.bin'));
    expect(run.exit).toBe(1);
    expect(run.out).toContain('boot.hash_mismatch');
    expect(run.err).toMatch(/\[boot\.hash_mismatch\] next: .+\n$/);
  });

  it('accepts by any of several keys and warns of a published one', async () => {
    const more = ['--key', vector('keys/root-ec-p256.pem')];
    const run = await verifyWith(vector('keys/root-ed25519.pem'), vector('full-root-ec-p256.bin'), more);
    expect(run).toMatchObject({ exit: 0, err: expect.stringContaining('published test key') });
  });

  it('holds the floor of the security counter', async () => {
    const image = [vector('keys/root-ec-p256.pem'), vector('full-root-ec-p256.bin')] as const;
    expect((await verifyWith(...image, ['--min-counter', '16908291'])).exit).toBe(0);
    expect((await verifyWith(...image, ['--min-counter', '16908292'])).out).toContain('boot.counter_too_low');
  });
});

describe('holdfast boot inspect and export-key', () => {
  it('shows an image as tab-separated lines, as a table on a terminal, or as one document', async () => {
    const plain = await boot(['inspect', vector('full-root-ec-p256.bin')]);
    expect(plain.out).toContain('protected\tSEC_CNT\t16908291\n');
    expect((await boot(['inspect', vector('full-root-ec-p256.bin')], true)).out).toMatch(/^PART +NAME +VALUE\n/);
    const json = await boot(['inspect', '--json', vector('full-root-ec-p256.bin')]);
    expect(JSON.parse(json.out)).toMatchObject({ format: 'mcuboot' });
    expect(await boot(['inspect', vector('app.bin')])).toMatchObject({ exit: 1, code: 'boot.bad_magic' });
  });

  it.each([
    ['c', 'root-rsa-2048', 'const unsigned char rsa_pub_key_2[] = {\n    0x30, 0x82, 0x01, 0x0a,'],
    ['rust', 'root-ed25519', 'static ED25519_PUB_KEY_2: &[u8] = &['],
    ['pem', 'root-ec-p384', '-----BEGIN PUBLIC KEY-----'],
    ['hash', 'root-ec-p256', 'e30466f6b8470c1f29070b17f1e2d3e94d445e3f608087fdc711e4382bb538b6'],
    ['hash-c', 'root-ec-p256', 'const unsigned char ecdsa_pub_key_hash_2[] = {\n    0xe3, 0x04,'],
    ['c', 'enc-x25519-pub', 'x25519_pub_key_2_len = 44;'],
  ])('writes a key as %s of %s', async (form, key, expected) => {
    const run = await boot(['export-key', vector(`keys/${key}.pem`), '--form', form, '--name-suffix', '_2']);
    expect(run.out).toContain(expected);
  });

  it('writes raw bytes into a file only', async () => {
    const key = vector('keys/root-ec-p256.pem');
    expect((await boot(['export-key', key, '--form', 'raw'])).code).toBe('boot.bad_option');
    expect((await boot(['export-key', key, at('raw'), '--form', 'raw'])).exit).toBe(0);
    expect(statSync(at('raw')).size).toBe(91);
    expect((await boot(['export-key', key, '--name-suffix', '];x'])).code).toBe('boot.bad_option');
  });
});
