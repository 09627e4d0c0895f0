import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { generatePrivateKey } from '@holdfast/crypto';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  type Credential,
  credentialOf,
  csrFor,
  TestSystem,
} from '../../../packages/server/src/system/testing/system.ts';
import { succeed } from '../world/run-tool.ts';
import { LABEL, MODULE, plug } from './soft-token.ts';

const KEY = `pkcs11:token=${LABEL};object=issuing`;

let system: TestSystem;
let flags: Record<string, string>;
let claim: Credential;
beforeAll(async () => {
  flags = { issuingKey: KEY, pkcs11Module: MODULE, pkcs11Pin: `file:${path.join(inject('token'), 'pin')}` };
  system = await TestSystem.start(flags);
  await system.addProduct('lamp');
  claim = credentialOf(await system.addClaim({ product: 'lamp', quota: 10 }));
});
afterAll(() => system.close());

async function enrollment(serial: string) {
  return system.est('simpleenroll', claim, await csrFor({ key: await generatePrivateKey('P-256'), serial }));
}

/** The issuing authority's certificate, as a device is told. */
async function issuingDer(credential: Credential): Promise<Uint8Array> {
  const { text } = await system.https('GET', '/.well-known/est/cacerts', { credential });
  const found = decodeCertsOnly(new Uint8Array(Buffer.from(text, 'base64'))).find(
    (der) => decodeCertificate(der).known.basicConstraints?.pathLen === 0,
  );
  if (found === undefined) throw new TypeError('no issuing authority');
  return found;
}

async function verify({ pem }: Credential, issuing: Uint8Array): Promise<string> {
  const files = { leaf: pem, issuing: encodePem('CERTIFICATE', issuing), root: system.ca };
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(system.folder, `${name}.pem`), content);
  const args = ['-x509_strict', '-CAfile', 'root.pem', '-untrusted', 'issuing.pem', 'leaf.pem'];
  return (await succeed('openssl', ['verify', ...args], { cwd: system.folder })).toString();
}

describe('a server whose issuing key OpenSC made in a token of SoftHSM', () => {
  it('issues what openssl verifies, by the key that OpenSC shows', async () => {
    const device = await system.enroll('lamp-1');
    const issuing = await issuingDer(device);
    expect(await verify(device, issuing)).toContain('OK');
    const at = ['--module', MODULE, '--token-label', LABEL, '--read-object', '--type', 'pubkey', '--label', 'issuing'];
    const shown = await succeed('pkcs11-tool', at);
    expect(Buffer.from(decodeCertificate(issuing).spki.raw).subarray(-65)).toEqual(shown.subarray(-65));
  });

  it('asks devices to come back while the token is away, starts without it, and goes on when it is back', async () => {
    const device = await system.enroll('lamp-2');
    plug(inject('token'), false);
    try {
      const refused = await enrollment('lamp-3');
      expect([refused.status, Number(refused.headers['retry-after']) > 0]).toEqual([503, true]);
      expect((await system.mqtt(device, { id: device.id })).connack).toBe(0);
      await system.stop();
      await system.start(flags);
      expect((await system.mqtt(device, { id: device.id })).connack).toBe(0);
      expect((await enrollment('lamp-3')).status).toBe(503);
    } finally {
      plug(inject('token'), true);
    }
    await expect.poll(async () => (await enrollment('lamp-3')).status).toBe(200);
    await expect.poll(async () => (await system.api.call('status.show', {})).warnings).toEqual([]);
  });
});
