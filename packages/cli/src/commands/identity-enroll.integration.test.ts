import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createCsr, createSigner, generatePrivateKey } from '@holdfast/crypto';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSystem } from '../../../server/src/system/testing/system.ts';

const HOLDFAST = fileURLToPath(new URL('../../../../scripts/holdfast.js', import.meta.url));
const run = promisify(execFile);

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
});
afterAll(() => system.close());

const file = (...name: readonly string[]) => path.join(system.folder, ...name);
const text = (...name: readonly string[]) => readFileSync(file(...name), 'utf8');
const spkiOf = (pem: string) =>
  Buffer.from(decodeCertificate(decodePem(pem, 'CERTIFICATE')).spki.raw).toString('base64');

interface Outcome {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

function enroll(out: string, ...args: readonly string[]): Promise<Outcome> {
  return holdfast('identity', 'enroll', '--product', 'lamp', '--out', file(out), ...args);
}

function holdfast(...args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, HOLDFAST_DATA: system.data };
  return run(process.execPath, [HOLDFAST, ...args], { env }).then(
    ({ stdout, stderr }) => ({ exit: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      exit: error.code,
      out: error.stdout,
      err: error.stderr,
    }),
  );
}

function batch(name: string, ...lines: readonly string[]): readonly string[] {
  writeFileSync(file(name), `${lines.join('\n')}\n`);
  return ['--batch', file(name)];
}

const present = async (serial: string) =>
  system.api.call('devices.show', { device: serial }).then(
    () => true,
    () => false,
  );

describe('the factory station', () => {
  it('enrolls a batch and writes for each device what its maker needs', async () => {
    const given = batch('a.csv', 'serial,groups,mac', 'A-1,pilot,02:00:00:00:00:01', 'A-2,,', 'A-3,,');
    const formats = ['--format', 'pem,pkcs12,nvs,esp-secure-cert,c-header,label', '--nvs-encrypt'];
    const first = await enroll('a', ...given, ...formats, '--json');
    expect([first.exit, JSON.parse(first.out)]).toEqual([0, { enrolled: 3, present: 0, left: 0, refused: [] }]);
    expect(first.err).toContain('keys are made on this station');
    expect(readdirSync(file('a', 'A-1')).sort()).toEqual([
      'certificate.pem',
      'chain.pem',
      'device.json',
      'esp_secure_cert.bin',
      'holdfast_identity.h',
      'identity.p12',
      'identity.p12.password',
      'key.pem',
      'label.svg',
      'label.txt',
      'nvs-keys.bin',
      'nvs.bin',
      'roots.pem',
    ]);
    expect(statSync(file('a')).mode & 0o777).toBe(0o700);
    expect(statSync(file('a', 'A-1', 'key.pem')).mode & 0o777).toBe(0o600);
    expect(existsSync(file('a', '.unfinished'))).toBe(false);
    const device = await system.api.call('devices.show', { device: 'A-1' });
    expect(device).toMatchObject({
      state: 'active',
      groups: ['pilot'],
      attributes: { mac: '02:00:00:00:00:01' },
      certificates: [{ keyOrigin: 'station', door: 'station' }],
    });
    expect(text('a', 'A-1', 'roots.pem')).toBe(system.ca);

    const manifest = text('a', 'manifest.jsonl').trimEnd().split('\n');
    const records = manifest.map((line) => JSON.parse(line));
    expect(records.map(({ serial }) => serial)).toEqual(['A-1', 'A-2', 'A-3']);
    expect(records[0]).toMatchObject({ certificate: device.certificates[0]?.fingerprint, key: 'station' });
    for (const { name, sha256 } of records[0].files) {
      expect([
        name,
        createHash('sha256')
          .update(readFileSync(file('a', 'A-1', name)))
          .digest('hex'),
      ]).toEqual([name, sha256]);
    }
    const again = await enroll('a', ...given, ...formats, '--json');
    expect([again.exit, JSON.parse(again.out)]).toEqual([0, { enrolled: 0, present: 3, left: 0, refused: [] }]);
    expect(text('a', 'manifest.jsonl').trimEnd().split('\n')).toEqual(manifest);
  });

  it('connects with what it wrote', async () => {
    const credential = { keyPem: text('a', 'A-2', 'key.pem'), pem: text('a', 'A-2', 'chain.pem') };
    const key = await generatePrivateKey('P-256');
    const csr = await createCsr({ subject: [{ type: 'commonName', value: 'x' }] }, createSigner(key));
    const answer = await system.est('simplereenroll', credential, csr);
    expect(answer.status).toBe(200);
  });

  it('enrolls no device of a file with a wrong row, and names the line', async () => {
    const bad = await enroll('b', ...batch('b.csv', 'serial', 'B-1', 'B/2'));
    expect([bad.exit, bad.err]).toEqual([65, expect.stringMatching(/line 3.*\[cli\.bad_table\]/)]);
    const taken = await enroll('b', ...batch('b.csv', 'serial,groups', 'B-1,', 'B-2,'), '--hardware-revision', 'rev-z');
    expect([taken.exit, taken.err]).toEqual([
      65,
      expect.stringMatching(/line 2.*wrong_hardware.*\[cli\.rows_refused\]/),
    ]);
    expect(await present('B-1')).toBe(false);
  });

  it('takes requests that devices made, and goes on with those that come later', async () => {
    mkdirSync(file('csr'));
    const keys = new Map<string, string>();
    const request = async (serial: string, form: 'pem' | 'der') => {
      const key = await generatePrivateKey('P-256');
      const csr = await createCsr({ subject: [{ type: 'commonName', value: 'x' }] }, createSigner(key));
      writeFileSync(file('csr', `${serial}.csr`), form === 'der' ? csr : encodePem('CERTIFICATE REQUEST', csr));
      keys.set(serial, Buffer.from(key.publicKey.spki).toString('base64'));
    };
    await request('C-1', 'pem');
    await request('C-2', 'der');
    const given = [...batch('c.csv', 'serial', 'C-1', 'C-2', 'C-3'), '--csr-dir', file('csr')];
    const first = await enroll('c', ...given);
    expect([first.exit, first.err]).toEqual([65, expect.stringMatching(/C-3: .*\[cli\.file_unusable\]/)]);
    await request('C-3', 'pem');
    expect(await enroll('c', ...given)).toMatchObject({ exit: 0 });
    for (const serial of ['C-1', 'C-2', 'C-3']) {
      expect(spkiOf(text('c', serial, 'certificate.pem'))).toBe(keys.get(serial));
      expect(readdirSync(file('c', serial))).not.toContain('key.pem');
    }
    const { certificates } = await system.api.call('devices.show', { device: 'C-3' });
    expect(certificates).toMatchObject([{ keyOrigin: 'device' }]);
  });

  it('prints labels by which a device enrolls itself, once', async () => {
    const given = ['--keys', 'field', '--format', 'label', '--enroll-url', 'https://f.example'];
    expect(await enroll('f', ...batch('f.csv', 'serial', 'F-1'), ...given)).toMatchObject({ exit: 0 });
    const label = new URLSearchParams(text('f', 'F-1', 'label.txt').trim().replace('holdfast:1?', ''));
    expect(label.get('serial')).toBe('F-1');
    expect(label.get('url')).toBe('https://f.example');
    expect(label.get('password')).toMatch(/^[0-9a-z]{6}(?:-[0-9a-z]{6}){3}$/);
    expect((await system.api.call('devices.show', { device: 'F-1' })).state).toBe('established');
    expect(statSync(file('f', 'F-1', 'label.svg')).mode & 0o777).toBe(0o600);
  });

  it('enrolls one device by its serial number', async () => {
    const args = ['--serial', 'G-1', '--groups', 'pilot,eu'];
    expect(await enroll('g', ...args)).toMatchObject({ exit: 0 });
    expect(await system.api.call('devices.show', { device: 'G-1' })).toMatchObject({ groups: ['eu', 'pilot'] });
    expect(await enroll('g', '--serial', 'G-2')).toMatchObject({ exit: 0 });
  });

  it('takes up a device whose certificate came but whose files did not, even under a claim that is over', async () => {
    const given = batch('h.csv', 'serial', 'H-1');
    expect(await enroll('h', ...given)).toMatchObject({ exit: 0 });
    const key = text('h', 'H-1', 'key.pem');
    const certificate = text('h', 'H-1', 'certificate.pem');
    rmSync(file('h', 'H-1'), { recursive: true });
    mkdirSync(file('h', '.unfinished', 'H-1'), { recursive: true });
    writeFileSync(file('h', '.unfinished', 'H-1', 'key.pem'), key);
    const state = JSON.parse(text('h', 'station.json'));
    writeFileSync(file('h', 'station.json'), JSON.stringify({ version: 1, terms: state.terms }));
    expect(await enroll('h', ...given)).toMatchObject({ exit: 0 });
    expect(text('h', 'H-1', 'certificate.pem')).toBe(certificate);
    expect((await system.api.call('devices.show', { device: 'H-1' })).certificates).toHaveLength(1);
  });

  it('works from elsewhere under a role that may do nothing else', async () => {
    const url = `https://localhost:${system.port('management')}`;
    const made = [
      'identity',
      'operator',
      'create',
      'line-3',
      '--role',
      'factory',
      '--out',
      file('line-3'),
      '--url',
      url,
    ];
    expect(await holdfast(...made)).toMatchObject({ exit: 0 });
    const profile = ['--profile', file('line-3.json')];
    expect(await enroll('k', '--serial', 'K-1', '--format', 'pem,label', ...profile)).toMatchObject({ exit: 0 });
    expect(await enroll('l', '--serial', 'L-1', '--keys', 'field', '--format', 'label', ...profile)).toMatchObject({
      exit: 0,
    });
    const moved = await enroll('m', '--serial', 'K-1', '--groups', 'vip', ...profile);
    expect([moved.exit, moved.err]).toEqual([65, expect.stringContaining('because request.forbidden')]);
    const revoked = await holdfast('identity', 'revoke', 'K-1', ...profile);
    expect([revoked.exit, revoked.err]).toEqual([77, expect.stringContaining('request.forbidden')]);
  });

  it('gives no second certificate to a device that was enrolled elsewhere', async () => {
    const refused = await enroll('i', ...batch('i.csv', 'serial', 'A-3', 'I-1'));
    expect([refused.exit, refused.err]).toEqual([
      65,
      expect.stringMatching(/A-3: .*\[identity\.device_has_certificate\]/),
    ]);
    expect(existsSync(file('i', 'I-1', 'certificate.pem'))).toBe(true);
  });

  it.each([
    [
      'other terms than the folder was begun with',
      ['--serial', 'A-9', '--format', 'pem,label'],
      'a',
      65,
      'cli.station_folder',
    ],
    [
      'a format that needs the key of the device',
      ['--serial', 'J-1', '--csr-dir', '.', '--format', 'pkcs12'],
      'j',
      64,
      'cli.usage',
    ],
    [
      'a certificate for a device that has none yet',
      ['--serial', 'J-1', '--keys', 'field', '--format', 'nvs'],
      'j',
      64,
      'cli.usage',
    ],
    ['two makers of keys', ['--serial', 'J-1', '--keys', 'station', '--csr-dir', '.'], 'j', 64, 'cli.usage'],
    ['neither a batch nor a serial number', [], 'j', 64, 'cli.usage'],
    ['a format nobody knows', ['--serial', 'J-1', '--format', 'jks'], 'j', 64, 'cli.usage'],
    ['a serial number that leads out of the folder', ['--serial', '../J'], 'j', 65, 'identity.bad_device_name'],
    ['no devices at once', ['--serial', 'J-1', '--parallel', '0'], 'j', 64, 'cli.usage'],
    ['a file that is not there', ['--batch', 'missing.csv'], 'j', 66, 'cli.file_unusable'],
  ])('refuses %s', async (_name, args, out, exit, code) => {
    const outcome = await enroll(out, ...args);
    expect([outcome.exit, outcome.err]).toEqual([exit, expect.stringContaining(`[${code}]`)]);
    expect(await present('J-1')).toBe(false);
  });
});
