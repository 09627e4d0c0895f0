import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createCsr, createSigner, fingerprint, generatePrivateKey } from '@holdfast/crypto';
import { decodeUtf8, systemClock } from '@holdfast/kernel';
import { encodePublish } from '@holdfast/wire/mqtt';
import { encodePem } from '@holdfast/wire/pem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MakerAuthority, type MadeCertificate } from '../testing/maker-authority.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { createCertificate, provision, registerThing } from './testing/provisioning.ts';
import { type Credential, credentialOf, TestSystem } from './testing/system.ts';

const FLEET = JSON.stringify({
  Parameters: { SerialNumber: { Type: 'String' }, 'AWS::IoT::Certificate::Id': { Type: 'String' } },
  Resources: {
    thing: {
      Type: 'AWS::IoT::Thing',
      Properties: { ThingName: { 'Fn::Join': ['-', ['lamp', { Ref: 'SerialNumber' }]] }, ThingGroups: ['halls'] },
    },
    certificate: {
      Type: 'AWS::IoT::Certificate',
      Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
    },
  },
  DeviceConfiguration: { region: 'eu' },
});

const JITP = JSON.stringify({
  Parameters: { 'AWS::IoT::Certificate::CommonName': { Type: 'String' } },
  Resources: {
    thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'AWS::IoT::Certificate::CommonName' } } },
    certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateId: 'x', Status: 'ACTIVE' } },
  },
});

let system: TestSystem;
let hook: Server;
let allows: boolean;
const asked: unknown[] = [];
const authority = new TestAuthority('Hook CA');

beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  const { pem, keyPem } = authority.issue({ profile: 'server', name: 'localhost' });
  hook = createServer({ key: keyPem, cert: pem }, (request, response) => {
    request.on('data', (chunk: Buffer) => asked.push(JSON.parse(chunk.toString())));
    request.on('end', () => response.end(JSON.stringify({ allowProvisioning: allows })));
  }).listen(0, 'localhost');
  await once(hook, 'listening');
});
afterAll(async () => {
  hook.close();
  hook.closeAllConnections();
  await system.close();
});

const csrPem = async () => {
  const subject = [{ type: 'commonName', value: 'ignored' }] as const;
  const csr = await createCsr({ subject }, createSigner(await generatePrivateKey('P-256')));
  return encodePem('CERTIFICATE REQUEST', csr);
};

describe('a claim with a template', () => {
  beforeAll(async () => {
    const { port } = hook.address() as AddressInfo;
    const webhook = { url: `https://localhost:${port}/`, caPem: authority.root.pem };
    const body = { name: 'halls', product: 'lamp', body: FLEET, webhook };
    const kept = await system.api.call('templates.create', { body });
    expect(kept.webhookSecret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(JSON.stringify(await system.api.call('templates.show', { template: 'halls' }))).not.toContain('whsec_');
  });

  it('registers over MQTT what its hook allows, under the name of the template', async () => {
    allows = true;
    const claim = await system.addClaim({ product: 'lamp', template: 'halls', quota: 5 });
    const client = await system.mqtt(credentialOf(claim), { id: 'line-1' });
    const order = { format: 'json', csrPem: await csrPem(), serial: 'S1', template: 'halls' } as const;
    expect(await provision(client, order)).toBe('allowed');
    expect(asked.at(-1)).toMatchObject({ clientId: 'line-1', parameters: { SerialNumber: 'S1' } });
    expect(await system.api.call('devices.show', { device: 'lamp-S1' })).toMatchObject({
      serial: 'S1',
      groups: ['halls'],
      state: 'active',
    });
    client.socket.destroy();
  });

  it('registers nobody whom its hook denies', async () => {
    allows = false;
    const claim = await system.addClaim({ product: 'lamp', template: 'halls', quota: 5 });
    const client = await system.mqtt(credentialOf(claim), { id: 'line-2' });
    const order = { format: 'cbor', csrPem: await csrPem(), serial: 'S2', template: 'halls' } as const;
    expect(await provision(client, order)).toBe('identity.hook_denied');
    expect(await system.code(system.api.call('devices.show', { device: 'lamp-S2' }))).toBe('identity.unknown_device');
    expect(await system.actions('halls')).toContain('hook.denied');
    client.socket.destroy();
  });

  it('of a trusted user lives for five minutes and one device', async () => {
    allows = true;
    const body = { product: 'lamp', template: 'halls', trustedUser: true } as const;
    const claim = await system.api.call('claims.create', { body });
    expect([claim.limit, claim.scope, claim.template]).toEqual([1, 'quota', 'halls']);
    const life = Date.parse(claim.expiresAt) - Date.parse(claim.createdAt);
    expect(life).toBe(300_000);
    const client = await system.mqtt(credentialOf(claim), { id: 'phone' });
    const order = { format: 'json', csrPem: await csrPem(), serial: 'S3', template: 'halls' } as const;
    const made = await createCertificate(client, order);
    if (typeof made === 'string') throw new TypeError(made);
    system.clock.jump(301_000);
    try {
      expect(await registerThing(client, order, made.certificateOwnershipToken)).toMatch(/claim_expired|closed/);
    } finally {
      system.clock.jump(-301_000);
      client.socket.destroy();
    }
  });
});

describe('a device with a certificate of its maker', () => {
  let jitp: MakerAuthority;
  let jitr: MakerAuthority;
  let jitpId: string;
  let jitrId: string;

  const credential = ({ der, key }: MadeCertificate): Credential => ({
    keyPem: key.exportPem(),
    pem: encodePem('CERTIFICATE', der),
  });
  const unit = (maker: MakerAuthority, name: string) => maker.issue({ subject: [{ type: 'commonName', value: name }] });
  const register = async (maker: MakerAuthority, terms: { readonly template?: string; readonly product?: string }) => {
    const { code } = await system.api.call('manufacturers.code', {});
    const certificatePem = encodePem('CERTIFICATE', maker.der);
    const verificationPem = encodePem('CERTIFICATE', await maker.verify(code));
    const { id } = await system.api.call('manufacturers.register', {
      body: { certificatePem, verificationPem, ...terms },
    });
    return id;
  };
  /** The trust set follows the registry by an event. */
  const connected = async (made: MadeCertificate, id: string): Promise<number | undefined> => {
    let connack: number | undefined;
    await expect
      .poll(
        async () => {
          const client = await system.mqtt(credential(made), { id }).catch(() => undefined);
          connack = client?.connack;
          client?.socket.destroy();
          return connack !== undefined;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    return connack;
  };

  beforeAll(async () => {
    [jitp, jitr] = await Promise.all([
      MakerAuthority.open(systemClock.now(), 'Maker with a template'),
      MakerAuthority.open(systemClock.now(), 'Maker without'),
    ]);
    await system.api.call('templates.create', { body: { name: 'makers', kind: 'jitp', product: 'lamp', body: JITP } });
    jitpId = await register(jitp, { template: 'makers' });
    jitrId = await register(jitr, { product: 'lamp' });
  });

  it('is registered when it first connects, and talks as the device at once', async () => {
    const made = await unit(jitp, 'unit-1');
    expect(await connected(made, 'unit-1')).toBe(0);
    const shown = await system.api.call('devices.show', { device: 'unit-1' });
    expect(shown).toMatchObject({ product: 'lamp', state: 'active' });
    expect(shown.certificates).toMatchObject([
      { fingerprint: fingerprint(made.der), door: 'aws-jit', state: 'active' },
    ]);
    expect(await connected(made, 'unit-1')).toBe(0);
  });

  it('is registered under its own name alone', async () => {
    const made = await unit(jitp, 'unit-2');
    expect(await connected(made, 'unit-1')).not.toBe(0);
    expect(await connected(made, 'unit-2')).toBe(0);
  });

  it('is not served by HTTPS before it is registered, nor ever by the management listener', async () => {
    const made = await unit(jitp, 'unit-3');
    const answer = await system
      .https('GET', '/artifacts/none', { credential: credential(made) })
      .catch(() => undefined);
    expect(answer?.status ?? 403).toBe(403);
    expect(await connected(made, 'unit-3')).toBe(0);
    const management = system
      .https('GET', '/api/v1/status', { credential: credential(made), port: system.port('management') })
      .then(({ status }) => status >= 400)
      .catch(() => true);
    expect(await management).toBe(true);
  });

  it('waits for an operator without a template, who is told on the topic of AWS', async () => {
    const watcher = await system.enroll('watcher');
    const listening = await system.mqtt(watcher, { id: 'watcher' });
    const topic = `$aws/events/certificates/registered/${jitrId}`;
    const document = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'iot:Connect', Resource: 'arn:aws:iot:*:*:client/watcher' },
        { Effect: 'Allow', Action: 'iot:Subscribe', Resource: `arn:aws:iot:*:*:topicfilter/${topic}` },
        { Effect: 'Allow', Action: 'iot:Receive', Resource: `arn:aws:iot:*:*:topic/${topic}` },
      ],
    });
    await system.api.call('policies.put', { policy: 'watch', body: { document } });
    await system.api.call('policies.attach', { policy: 'watch', body: { kind: 'device', id: 'watcher' } });
    await expect.poll(() => listening.subscribe(topic), { timeout: 20_000 }).toBe(0);

    const made = await unit(jitr, 'unit-4');
    expect(await connected(made, 'unit-4')).not.toBe(0);
    const told = await listening.until((packet) => packet.kind === 'publish' && packet.topic === topic);
    expect(told?.kind === 'publish' ? JSON.parse(decodeUtf8(told.payload)) : undefined).toMatchObject({
      certificateId: fingerprint(made.der),
      caCertificateId: jitrId,
      certificateStatus: 'PENDING_ACTIVATION',
    });
    const { pending } = await system.api.call('manufacturers.show', { manufacturer: jitrId });
    expect(pending).toMatchObject([{ fingerprint: fingerprint(made.der) }]);
    const activation = { certificate: fingerprint(made.der), body: { device: 'unit-4' } };
    expect(await system.api.call('certificates.activate', activation)).toMatchObject({ device: 'unit-4' });
    expect(await connected(made, 'unit-4')).toBe(0);
  });

  it('is cut with its authority, which no handshake trusts from then on', async () => {
    const made = await unit(jitp, 'unit-5');
    expect(await connected(made, 'unit-5')).toBe(0);
    const live = await system.mqtt(credential(made), { id: 'unit-5' });
    const target = { kind: 'issuer', issuer: jitpId } as const;
    const { devices } = await system.api.call('revocations.preview', { body: { target } });
    await system.api.call('revocations.run', { body: { target, reason: 'keyCompromise', expected: devices } });
    await live.closed;
    const late = await unit(jitp, 'unit-6');
    await expect
      .poll(
        () =>
          system.mqtt(credential(late), { id: 'unit-6' }).then(
            (client) => client.connack,
            () => 'no handshake',
          ),
        { timeout: 20_000 },
      )
      .not.toBe(0);
    expect(await system.code(system.api.call('devices.show', { device: 'unit-6' }))).toBe('identity.unknown_device');
  });
});

it('publishes nothing for a claim outside of provisioning', async () => {
  const claim = await system.addClaim({ product: 'lamp', quota: 1 });
  const client = await system.mqtt(credentialOf(claim), { id: 'line-9' });
  client.socket.write(encodePublish({ topic: '$aws/events/certificates/registered/x', payload: new Uint8Array(0) }, 5));
  await client.closed;
});
