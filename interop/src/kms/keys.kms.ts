import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { CreateAliasCommand, CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { generatePrivateKey, importPublicKey, type SignatureAlgorithm, verifySignature } from '@holdfast/crypto';
import { systemClock } from '@holdfast/kernel';
import { createEngineSigner } from '@holdfast/trust/storage';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openKeyEngines } from '../../../packages/server/src/engines/keys/open-key-engines.ts';
import {
  type Credential,
  credentialOf,
  csrFor,
  TestSystem,
} from '../../../packages/server/src/system/testing/system.ts';
import { succeed } from '../world/run-tool.ts';

const REGION = 'eu-central-1';
const BYTES = new TextEncoder().encode('to be signed');
const coded = (code: string) => expect.objectContaining({ code });
const at = (keyId: string) => `kms:${keyId}?region=${REGION}&endpoint=${inject('kms').endpoint}`;

process.env['AWS_ACCESS_KEY_ID'] = 'test-key-id';
process.env['AWS_SECRET_ACCESS_KEY'] = 'test-secret';

let client: KMSClient;
beforeAll(() => {
  client = new KMSClient({ endpoint: inject('kms').endpoint, region: REGION });
});

async function makeKey(
  KeySpec: 'ECC_NIST_P256' | 'ECC_NIST_P384' | 'RSA_2048',
  usage: 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT' = 'SIGN_VERIFY',
) {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage: usage }));
  return { id: KeyMetadata?.KeyId ?? '', arn: KeyMetadata?.Arn ?? '' };
}

describe('keys in KMS', () => {
  const engines = openKeyEngines({
    clock: systemClock,
    pkcs11Module: undefined,
    pkcs11Pin: undefined,
    environment: {},
  });
  afterAll(() => engines.close());

  it.each<[Parameters<typeof makeKey>[0], SignatureAlgorithm]>([
    ['ECC_NIST_P256', 'ecdsa-p256-sha256'],
    ['ECC_NIST_P384', 'ecdsa-p384-sha384'],
    ['RSA_2048', 'rsa-pkcs1-sha256'],
    ['RSA_2048', 'rsa-pss-sha256'],
  ])('%s signs by %s', async (spec, algorithm) => {
    const reference = at((await makeKey(spec)).arn);
    const publicKeySpki = await engines.describe(reference);
    const signer = createEngineSigner(engines, { reference, publicKeySpki }, algorithm);
    const signature = await signer.sign(BYTES);
    expect(verifySignature(algorithm, importPublicKey(publicKeySpki), BYTES, signature)).toBe(true);
  });

  it('that are not there, or not for signatures, are named so', async () => {
    const nobody = at('1234abcd-12ab-34cd-56ef-1234567890ab');
    await expect(engines.describe(nobody)).rejects.toThrowError(coded('storage.bad_key_reference'));
    const encrypting = at((await makeKey('RSA_2048', 'ENCRYPT_DECRYPT')).id);
    await expect(engines.describe(encrypting)).rejects.toThrowError(coded('storage.bad_key_reference'));
  });

  it('of a service that does not answer are unavailable, and credentials are in no error', async () => {
    const error: unknown = await engines
      .describe(`kms:alias/a?region=${REGION}&endpoint=http://127.0.0.1:1`)
      .catch((thrown: unknown) => thrown);
    expect(error).toEqual(coded('storage.key_unavailable'));
    expect(JSON.stringify(error)).not.toContain('test-secret');
  });
});

describe('a server whose issuing key is in KMS', () => {
  let system: TestSystem;
  let claim: Credential;
  beforeAll(async () => {
    const { id: keyId } = await makeKey('ECC_NIST_P256');
    await client.send(new CreateAliasCommand({ AliasName: 'alias/holdfast', TargetKeyId: keyId }));
    system = await TestSystem.start({ issuingKey: at('alias/holdfast') });
    await system.addProduct('lamp');
    claim = credentialOf(await system.addClaim({ product: 'lamp', quota: 10 }));
  });
  afterAll(() => system.close());

  const enrollment = async (serial: string) =>
    system.est('simpleenroll', claim, await csrFor({ key: await generatePrivateKey('P-256'), serial }));

  it('issues what openssl verifies', async () => {
    const device = await system.enroll('lamp-1');
    const { text } = await system.https('GET', '/.well-known/est/cacerts', { credential: device });
    const issuing = decodeCertsOnly(new Uint8Array(Buffer.from(text, 'base64'))).find(
      (der) => decodeCertificate(der).known.basicConstraints?.pathLen === 0,
    );
    const files = { leaf: device.pem, issuing: encodePem('CERTIFICATE', issuing ?? new Uint8Array()), root: system.ca };
    for (const [name, pem] of Object.entries(files)) writeFileSync(path.join(system.folder, `${name}.pem`), pem);
    const args = ['-x509_strict', '-CAfile', 'root.pem', '-untrusted', 'issuing.pem', 'leaf.pem'];
    expect((await succeed('openssl', ['verify', ...args], { cwd: system.folder })).toString()).toContain('OK');
  });

  it('asks devices to come back while the service hangs, and goes on when it answers', async () => {
    const device = await system.enroll('lamp-2');
    const { pid } = inject('kms');
    process.kill(pid, 'SIGSTOP');
    try {
      const refused = await enrollment('lamp-3');
      expect([refused.status, Number(refused.headers['retry-after']) > 0]).toEqual([503, true]);
      expect((await system.mqtt(device, { id: device.id })).connack).toBe(0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await expect.poll(async () => (await enrollment('lamp-3')).status).toBe(200);
    await expect.poll(async () => (await system.api.call('status.show', {})).warnings).toEqual([]);
  });
});
