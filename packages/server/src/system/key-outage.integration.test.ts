import { createPublicKey, X509Certificate } from 'node:crypto';
import { generatePrivateKey } from '@holdfast/crypto';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCrl } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeKeyEngine } from '../engines/keys/testing/fake-key-engine.ts';
import { createCertificate } from './testing/provisioning.ts';
import { type Credential, credentialOf, csrFor, type EnrolledDevice, TestSystem } from './testing/system.ts';

const KEY = 'pkcs11:token=hf;object=issuing';
const ALARM = `storage.key_engine ${KEY}`;
const FLAGS = { issuingKey: KEY };
const PATIENCE = { timeout: 20_000 };

const token = new FakeKeyEngine();
const keyEngines = {
  engines: { pkcs11: token, kms: new FakeKeyEngine() },
  limits: { pauseMs: 10, restMs: 100, lookMs: 200, lookAgainMs: 100 },
};
let system: TestSystem;
let device: EnrolledDevice;
/** A claim has a certificate too: it must be there before the key is gone. */
let claim: Credential;

beforeAll(async () => {
  await token.put(KEY, 'P-256', 'pkcs11:serial=1;object=issuing');
  system = await TestSystem.start(FLAGS, { keyEngines });
  await system.addProduct('lamp');
  device = await system.enroll('lamp-1');
  claim = credentialOf(await system.addClaim({ product: 'lamp', quota: 10 }));
});
afterAll(() => system.close());

const alarms = async () => (await system.api.call('status.show', {})).warnings.map(({ code }) => code);

async function enrollment(serial: string) {
  return system.est('simpleenroll', claim, await csrFor({ key: await generatePrivateKey('P-256'), serial }));
}

async function list() {
  const { certificates } = await system.api.call('authority.show', {});
  const issuing = certificates.find(({ role }) => role === 'issuing')?.fingerprint;
  const answer = await fetch(`http://127.0.0.1:${system.port('public')}/crl/${issuing}.crl`);
  const { crlNumber, revoked } = decodeCrl(new Uint8Array(await answer.arrayBuffer()));
  return { number: Number(crlNumber), serials: revoked.map(({ serial }) => serial) };
}

describe('a server whose issuing key is in a token', () => {
  it('founds its authority on that key and says so in the log', async () => {
    const key = createPublicKey({ key: Buffer.from(await token.describe(KEY)), format: 'der', type: 'spki' });
    expect(new X509Certificate(device.pem).verify(key)).toBe(true);
    const { rows } = await system.api.call('audit.list', { query: { limit: 1000 } });
    const taken = rows.filter(({ action }) => action === 'key.imported');
    expect(taken).toEqual([expect.objectContaining({ details: expect.objectContaining({ reference: KEY }) })]);
  });

  it('asks whoever wants a certificate to come back while the token is away; devices keep working', async () => {
    const line = await system.mqtt(claim, { id: 'line' });
    const connected = await system.mqtt(device, { id: device.id });
    token.fault = 'unavailable';

    const key = await generatePrivateKey('P-256');
    const answers = [
      await enrollment('lamp-2'),
      await system.est('simplereenroll', device, await csrFor({ key, serial: device.id })),
    ];
    for (const { status, headers, text } of answers) {
      expect([status, Number(headers['retry-after']) > 0]).toEqual([503, true]);
      expect(text).toContain('identity.ca_unavailable');
    }
    expect(await createCertificate(line, { format: 'json', serial: 'lamp-2' })).toBe('identity.ca_unavailable');
    const wish = system.api.call('claims.create', { body: { product: 'lamp', quota: 1 } });
    expect(await system.code(wish)).toBe('identity.ca_unavailable');

    expect(await connected.publishOnce(`devices/${device.id}/state`)).toBeLessThan(0x80);
    const newcomer = await system.mqtt(claim, { id: 'another-line' });
    expect(newcomer.connack).toBe(0);
    await expect.poll(alarms, PATIENCE).toContain(ALARM);
  });

  it('starts while the token is away: with the certificate of before, and the lists of before', async () => {
    const former = await list();
    await system.stop();
    await system.start(FLAGS, { keyEngines });
    const back = await system.mqtt(device, { id: device.id });
    expect(await back.publishOnce(`devices/${device.id}/state`)).toBeLessThan(0x80);
    expect((await enrollment('lamp-2')).status).toBe(503);
    expect((await list()).number).toBe(former.number);
    await expect.poll(alarms, PATIENCE).toContain(ALARM);
  });

  it('revokes without the token, and publishes that once it is back; nothing has to be restarted', async () => {
    const { number } = await list();
    const connected = await system.mqtt(device, { id: device.id });
    await system.api.call('devices.revoke', { device: device.id, body: { reason: 'keyCompromise' } });
    await expect.poll(() => connected.socket.destroyed, PATIENCE).toBe(true);

    token.fault = undefined;
    await expect.poll(alarms, PATIENCE).not.toContain(ALARM);
    await expect.poll(async () => (await enrollment('lamp-2')).status, PATIENCE).toBe(200);
    const serial = new X509Certificate(device.pem).serialNumber.toLowerCase();
    await expect.poll(async () => (await list()).serials, PATIENCE).toContain(serial);
    expect((await list()).number).toBeGreaterThan(number);
  });

  it('gives out nothing that another key under the same name signed', async () => {
    await token.put(KEY);
    expect((await enrollment('lamp-3')).status).toBe(503);
    await expect.poll(alarms, PATIENCE).toContain(ALARM);
  });
});

describe('a product whose image key is in a token', () => {
  const IMAGE = 'pkcs11:token=hf;object=image';
  const SPARE = 'pkcs11:serial=1;object=issuing';

  it('has its releases signed there, and none while the token is away', async () => {
    const key = await token.put(IMAGE);
    const body = { name: 'gate', evidence: 'none', imageKeyReference: IMAGE, boot: { format: 'mcuboot' } } as const;
    const { imageKey } = await system.api.call('products.create', { body });
    expect(imageKey?.publicKeyPem).toBe(encodePem('PUBLIC KEY', key.publicKey.spki));
    const { id: artifactId } = await system.api.call('artifacts.upload', { octets: new Uint8Array(4096).fill(7) });
    const wish = { product: 'gate', version: '1.0.0', securityCounter: 1, artifactId };
    token.fault = 'unavailable';
    expect(await system.code(system.api.call('releases.create', { body: wish }))).toBe('storage.key_unavailable');
    token.fault = undefined;
    const created = async () => system.code(system.api.call('releases.create', { body: wish }));
    await expect.poll(created, PATIENCE).toBe('done');
  });

  it.each([
    ['kms:alias/a?endpoint=https://127.0.0.1:9', 'storage.bad_key_reference'],
    ['pkcs11:token=hf;object=nowhere', 'storage.bad_key_reference'],
    ['pkcs11:token=hf;object=image?pin-value=1', 'storage.bad_key_reference'],
    ['file:/etc/passwd', 'request.invalid'],
    // The issuing authority's own.
    [SPARE, 'storage.key_in_use'],
  ])('is not made with %s', async (imageKeyReference, code) => {
    const body = { name: 'door', evidence: 'none', imageKeyReference, boot: { format: 'mcuboot' } } as const;
    expect(await system.code(system.api.call('products.create', { body }))).toBe(code);
    expect(await system.code(system.api.call('products.show', { product: 'door' }))).toBe('identity.unknown_product');
  });
});
