import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TestSystem } from '../../../packages/server/src/system/testing/system.ts';
import { succeed } from '../world/run-tool.ts';
import { LABEL, MODULE } from './soft-token.ts';

const MAIN = path.join(import.meta.dirname, '../../../packages/cli/src/main.ts');
const run = promisify(execFile);

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
});
afterAll(() => system.close());

const file = (name: string) => path.join(system.folder, name);
const token = () => ['--pkcs11-module', MODULE, '--pkcs11-pin', `file:${path.join(inject('token'), 'pin')}`];

async function holdfast(...args: readonly string[]): Promise<Record<string, string>> {
  const env = { ...process.env, HOLDFAST_DATA: system.data };
  const { stdout } = await run(process.execPath, [MAIN, 'identity', 'ca', ...args, '--json'], { env });
  return JSON.parse(stdout) as Record<string, string>;
}

describe('a ceremony whose root key OpenSC made in a token', () => {
  it('moves the root off the server: openssl verifies devices under it, and no key is in the folder', async () => {
    const reference = `pkcs11:token=${LABEL};object=root`;
    const { rootFingerprint = '' } = await holdfast(
      'ceremony',
      '--out',
      file('v'),
      '--root-key',
      reference,
      ...token(),
    );
    expect(readdirSync(file('v')).toSorted()).toEqual(['root.crt', 'root.reference']);
    await holdfast('request', file('request.pem'));
    await holdfast('sign', file('request.pem'), file('chain.pem'), '--root', file('v'), ...token());
    await holdfast('install', file('chain.pem'), '--root-fingerprint', rootFingerprint);
    const device = await system.enroll('lamp-1');
    writeFileSync(file('leaf.pem'), device.pem);
    const args = ['-x509_strict', '-CAfile', 'v/root.crt', '-untrusted', 'chain.pem', 'leaf.pem'];
    const said = await succeed('openssl', ['verify', ...args], { cwd: system.folder });
    expect(said.toString()).toContain('OK');
  });

  it('signs nothing when the reference leads to another key than the certificate has', async () => {
    writeFileSync(file('v/root.reference'), `pkcs11:token=${LABEL};object=image\n`);
    const signed = holdfast('sign', file('request.pem'), file('other.pem'), '--root', file('v'), ...token());
    await expect(signed).rejects.toThrowError(/identity\.ceremony_mismatch/);
    expect(() => readFileSync(file('other.pem'))).toThrowError();
  });
});
