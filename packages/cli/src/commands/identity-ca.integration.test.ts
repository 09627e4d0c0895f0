import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { equalBytes } from '@holdfast/kernel';
import { decodePem, decodePemBlocks, encodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Credential, TestSystem } from '../../../server/src/system/testing/system.ts';

const HOLDFAST = fileURLToPath(new URL('../../../../scripts/holdfast.js', import.meta.url));
const run = promisify(execFile);

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
});
afterAll(() => system.close());

const file = (name: string) => path.join(system.folder, name);

async function holdfast(...args: readonly string[]): Promise<Record<string, unknown>> {
  const env = { ...process.env, HOLDFAST_DATA: system.data, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  const { stdout } = await run(process.execPath, [HOLDFAST, 'identity', 'ca', ...args, '--json'], { env });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** As a device that trusts these roots alone does: TLS both ways. */
async function reaches(credential: Credential, ca: string): Promise<number> {
  const answer = await system.https('GET', '/.well-known/est/cacerts', { credential, tls: { ca } });
  return answer.status;
}

function verify(anchor: string, leaf: string, untrusted: string): string {
  const [trusted, given, chain] = [file('anchor.pem'), file('leaf.pem'), file('untrusted.pem')];
  writeFileSync(trusted, anchor);
  writeFileSync(given, leaf);
  writeFileSync(chain, untrusted);
  return execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', trusted, '-untrusted', chain, given], {
    encoding: 'utf8',
  });
}

/** The certificate of a root's key by the other root. */
function crossOf(bag: string, root: string): string {
  const key = decodeCertificate(decodePem(root, 'CERTIFICATE')).spki.raw;
  const found = decodePemBlocks(bag).find(({ bytes }) => equalBytes(decodeCertificate(bytes).spki.raw, key));
  if (found === undefined) throw new TypeError('no cross certificate');
  return encodePem('CERTIFICATE', found.bytes);
}

describe('a root that is moved away while devices are connected', () => {
  it('leaves every device, old and new, with the certificate and the anchor it has', async () => {
    const formerRoot = system.ca;
    const old = await system.enroll('lamp-1');
    const connected = await system.mqtt(old, { id: old.id });
    writeFileSync(file('passphrase'), 'correct horse battery\n', { mode: 0o600 });
    const passphrase = ['--passphrase', `file:${file('passphrase')}`];

    const ceremony = await holdfast('ceremony', '--out', file('vault'), ...passphrase);
    expect(statSync(file('vault/root.key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(file('vault/root.key'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    const request = await holdfast('request', file('request.pem'));
    const signed = await holdfast(
      'sign',
      file('request.pem'),
      file('chain.pem'),
      '--root',
      file('vault'),
      ...passphrase,
    );
    expect(signed['requestKey']).toBe(request['requestKey']);
    expect(signed['formerRoot']).toBe(request['rootInForce']);
    const rootFingerprint = String(ceremony['rootFingerprint']);
    const wrong = holdfast('install', file('chain.pem'), '--root-fingerprint', '0'.repeat(64));
    await expect(wrong).rejects.toThrowError(/identity\.ceremony_mismatch/);
    await holdfast('install', file('chain.pem'), '--root-fingerprint', rootFingerprint.toUpperCase());

    const newRoot = readFileSync(file('vault/root.crt'), 'utf8');
    const fresh = await system.enroll('lamp-2');
    // The listeners take the new chain a moment later.
    await expect.poll(() => reaches(fresh, newRoot), { timeout: 10_000 }).toBe(200);
    for (const device of [old, fresh]) {
      expect([await reaches(device, formerRoot), await reaches(device, newRoot)]).toEqual([200, 200]);
    }
    expect(connected.socket.destroyed).toBe(false);

    const given = await system.https('GET', '/.well-known/est/cacerts', { credential: old });
    const bag = decodeCertsOnly(new Uint8Array(Buffer.from(given.text, 'base64')))
      .map((der) => decodeCertificate(der))
      // With a self-signed one that is not trusted at hand, openssl tries no other way.
      .filter(({ issuer, subject }) => !equalBytes(issuer.raw, subject.raw))
      .map(({ raw: der }) => encodePem('CERTIFICATE', der))
      .join('');
    for (const device of [old, fresh]) {
      for (const anchor of [formerRoot, newRoot]) expect(verify(anchor, device.pem, bag)).toContain('OK');
    }
    // Whoever knows one root believes the other.
    expect(verify(formerRoot, crossOf(bag, newRoot), bag)).toContain('OK');
    expect(verify(newRoot, crossOf(bag, formerRoot), bag)).toContain('OK');

    expect((await system.api.call('status.show', {})).rootKeyOnline).toBe(true);
    const shown = await holdfast('destroy-root-key', String(request['rootInForce']));
    expect(shown['rootKeyOnline']).toBe(false);
    expect(await system.api.call('status.show', {})).toMatchObject({ rootKeyOnline: false, rootFingerprint });
    expect(await system.actions()).toEqual(expect.arrayContaining(['authority.installed', 'key.changed']));

    await system.stop();
    await system.start();
    expect(await system.api.call('status.show', {})).toMatchObject({ rootKeyOnline: false, rootFingerprint });
    for (const device of [old, fresh]) {
      expect([await reaches(device, formerRoot), await reaches(device, newRoot)]).toEqual([200, 200]);
    }
  });

  it('is refused a weak passphrase, one on the command line, and a folder that holds a root', async () => {
    const short = run(
      process.execPath,
      [HOLDFAST, 'identity', 'ca', 'ceremony', '--out', file('x'), '--passphrase', 'env:P'],
      {
        env: { ...process.env, P: 'short' },
      },
    );
    await expect(short).rejects.toThrowError(/request\.invalid/);
    await expect(holdfast('ceremony', '--out', file('x'), '--passphrase', 'in the open')).rejects.toThrowError(
      /boot\.bad_option/,
    );
    await expect(holdfast('ceremony', '--out', file('vault'), '--passphrase', 'env:PATH')).rejects.toThrowError(
      /cli\.file_exists/,
    );
    await expect(holdfast('ceremony', '--out', file('x'))).rejects.toThrowError(/cli\.no_terminal/);
  });
});

describe('a root whose key is in a token or service', () => {
  it.each([
    ['pkcs11:token=hf;object=root?pin-value=1234', 'storage.bad_key_reference'],
    ['file:/etc/passwd', 'storage.bad_key_reference'],
    ['pkcs11:token=hf;object=root', 'storage.key_engine_missing'],
    ['kms:alias/a?region=eu-west-1&endpoint=http://127.0.0.1:1', 'storage.key_unavailable'],
  ])('is not made with %s where that leads nowhere, and leaves no file', async (reference, code) => {
    const made = holdfast('ceremony', '--out', file('nothing'), '--root-key', reference);
    await expect(made).rejects.toThrowError(new RegExp(code.replace('.', String.raw`\.`)));
    expect(existsSync(file('nothing'))).toBe(false);
  });
});
