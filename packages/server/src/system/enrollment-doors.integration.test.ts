import { createHash, generateKeyPairSync } from 'node:crypto';
import type { CreatedClaim } from '@holdfast/api';
import { createCsr, createSigner, encodeSignatureAlgorithm, generatePrivateKey, PrivateKey } from '@holdfast/crypto';
import { EstClient, HttpsClient } from '@holdfast/device';
import { systemClock } from '@holdfast/kernel';
import type { AwsFormat } from '@holdfast/wire/aws-iot';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import {
  attributeTexts,
  decodeCertificate,
  encodeCertificationRequestInfo,
  encodeName,
  encodeSigned,
  type GeneralName,
  OID,
} from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPENSSL_REQUESTS } from '../testing/csr-vectors.ts';
import type { HttpAnswer } from './testing/https-ask.ts';
import { provision } from './testing/provisioning.ts';
import { type Credential, credentialOf, csrFor, issuedPem, TestSystem } from './testing/system.ts';

interface Attempt {
  readonly claim: CreatedClaim;
  /** Not looked at where the server makes the key. */
  readonly csr: Uint8Array;
  readonly serial: string;
}

type Door = (attempt: Attempt) => Promise<string>;

interface Row {
  readonly name: string;
  readonly code: string;
  readonly about?: keyof typeof LACKING;
  readonly prepare: (serial: string) => Promise<Partial<Attempt>>;
}

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  await system.addProduct('lock');
  await system.api.call('products.set-enrollment', { product: 'lamp', body: { serverKeys: 'everywhere' } });
});
afterAll(() => system.close());

/** A peer that may not even connect is told nothing; why is in the log. */
async function reasonInLog({ pem }: Credential): Promise<string> {
  const subject = createHash('sha256').update(decodePem(pem, 'CERTIFICATE')).digest('hex');
  const query = { action: 'connect.refused', subject };
  await expect.poll(async () => (await system.api.call('audit.list', { query })).rows).toHaveLength(1);
  return String((await system.api.call('audit.list', { query })).rows[0]?.details['code']);
}

const fleet =
  (format: AwsFormat, key: 'csr' | 'keys'): Door =>
  async ({ claim, csr, serial }) => {
    const client = await system.mqtt(credentialOf(claim), { id: serial });
    try {
      if (client.connack !== 0) return await reasonInLog(credentialOf(claim));
      const csrPem = encodePem('CERTIFICATE REQUEST', csr);
      return await provision(client, { format, serial, ...(key === 'csr' ? { csrPem } : {}) });
    } finally {
      client.socket.destroy();
    }
  };

const est =
  (operation: string): Door =>
  async ({ claim, csr }) =>
    verdictOf(await system.est(operation, credentialOf(claim), csr));

/** The door without client certificates: a label says serial number and password. */
const byPassword =
  (operation: string): Door =>
  async ({ claim, csr, serial }) => {
    const body = { serials: [serial] };
    const minting = system.api.call('claims.mint-passwords', { claim: claim.id, body });
    const code = await system.code(minting);
    if (code !== 'done') return code;
    const { passwords } = await minting;
    const basic = Buffer.from(`${serial}:${passwords[0]?.password}`).toString('base64');
    return verdictOf(
      await system.https('POST', `/.well-known/est/${operation}`, {
        port: system.port('enrollment'),
        headers: { 'content-type': 'application/pkcs10', authorization: `Basic ${basic}` },
        body: Buffer.from(csr).toString('base64'),
      }),
    );
  };

/** EST words a refusal `code: message`; before a route is reached it is a problem document. */
function verdictOf({ status, text }: HttpAnswer): string {
  if (status === 200) return 'allowed';
  return /[a-z]+\.[a-z_]+/.exec(text)?.[0] ?? `${status} ${text}`;
}

const DOORS: Readonly<Record<string, Door>> = {
  'AWS with a request in JSON': fleet('json', 'csr'),
  'AWS with a request in CBOR': fleet('cbor', 'csr'),
  'AWS with a key of the server in JSON': fleet('json', 'keys'),
  'AWS with a key of the server in CBOR': fleet('cbor', 'keys'),
  'EST simpleenroll': est('simpleenroll'),
  'EST simpleenroll under the label of the product': est('lamp/simpleenroll'),
  'EST simplereenroll with a claim, as strongSwan asks': est('simplereenroll'),
  'EST serverkeygen, a key of the server': est('serverkeygen'),
  'EST simpleenroll by password': byPassword('simpleenroll'),
  'EST serverkeygen by password, a key of the server': byPassword('serverkeygen'),
};
/** What a row is about and which doors have no such thing. */
const LACKING = { request: /key of the server/, parameter: /^EST/, handshake: /by password/ } as const;

const requestFor = async (serial: string, key?: PrivateKey, names: readonly GeneralName[] = []): Promise<Uint8Array> =>
  createCsr(
    {
      subject: [
        { type: 'commonName', value: serial },
        { type: 'serialNumber', value: serial },
      ],
      ...(names.length === 0 ? {} : { subjectAltName: names }),
    },
    createSigner(key ?? (await generatePrivateKey('P-256'))),
  );

const weakKey = () => new PrivateKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey);
const spoiled = (csr: Uint8Array) => csr.with(csr.length - 1, (csr.at(-1) ?? 0) ^ 1);

/** Requests no door may take, renewal included. */
const BAD_REQUESTS: readonly {
  readonly name: string;
  readonly code: string;
  readonly make: (serial: string) => Promise<Uint8Array>;
}[] = [
  { name: 'a weak key', code: 'identity.weak_key', make: (serial) => requestFor(serial, weakKey()) },
  { name: 'a bad self-signature', code: 'identity.bad_csr', make: async (serial) => spoiled(await requestFor(serial)) },
  { name: 'CA:TRUE', code: 'identity.ca_requested', make: async () => OPENSSL_REQUESTS.authority },
  {
    name: "another device's name",
    code: 'identity.foreign_name',
    make: (serial) => requestFor(serial, undefined, [{ kind: 'uri', text: 'urn:holdfast:default:device:other' }]),
  },
  {
    name: 'the key of another device',
    code: 'identity.key_reuse',
    make: async (serial) => requestFor(serial, (await system.enroll(`${serial}-neighbour`)).key),
  },
];

/** Three take-overs in a minute by two users of one key. */
async function quarantine(credential: Credential, id: string): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await system.mqtt(credential, { id });
  await expect.poll(async () => (await system.api.call('devices.show', { device: id })).state).toBe('quarantined');
}

const HELD_BACK: Readonly<Record<'revoked' | 'suspended' | 'quarantined', (serial: string) => Promise<unknown>>> = {
  revoked: (device) => system.api.call('devices.revoke', { device, body: {} }),
  suspended: (device) => system.api.call('devices.suspend', { device }),
  quarantined: async (device) => quarantine(await renewedCredential(device), device),
};

/** Credentials of devices that a row enrolled and then needs again. */
const known = new Map<string, Credential>();
async function enrolled(serial: string): Promise<Credential> {
  const device = await system.enroll(serial);
  known.set(serial, device);
  return device;
}
async function renewedCredential(serial: string): Promise<Credential> {
  const credential = known.get(serial);
  if (credential === undefined) throw new TypeError(`${serial} was never enrolled`);
  return credential;
}

const ROWS: readonly Row[] = [
  { name: 'a device nobody knew', code: 'allowed', prepare: async () => ({}) },
  ...BAD_REQUESTS.map(
    ({ name, code, make }): Row => ({
      name,
      code,
      about: 'request',
      prepare: async (serial) => ({ csr: await make(serial) }),
    }),
  ),
  {
    name: 'a quota that is used up',
    code: 'identity.claim_used_up',
    prepare: async (serial) => {
      const claim = await system.addClaim({ product: 'lamp', quota: 1 });
      const first = await generatePrivateKey('P-256');
      await system.est('simpleenroll', credentialOf(claim), await csrFor({ key: first, serial: `${serial}-first` }));
      return { claim };
    },
  },
  {
    name: 'a serial number that is not in the list',
    code: 'identity.serial_not_listed',
    about: 'parameter',
    prepare: async (serial) => ({
      claim: await system.addClaim({ product: 'lamp', serials: [`${serial}-a`, `${serial}-b`] }),
    }),
  },
  {
    name: 'a claim that has expired, before it is heard',
    about: 'handshake',
    code: 'identity.certificate_expired',
    prepare: async (serial) => {
      const claim = await system.addClaim({ product: 'lamp', serials: [serial], expiresInHours: 0.01 });
      system.clock.jump(60_000);
      return { claim };
    },
  },
  {
    name: 'a claim that was cancelled, before it is heard',
    about: 'handshake',
    code: 'identity.certificate_revoked',
    prepare: async (serial) => {
      const claim = await system.addClaim({ product: 'lamp', serials: [serial] });
      await system.api.call('claims.cancel', { claim: claim.id });
      return { claim };
    },
  },
  {
    name: 'a device that has a certificate in force',
    code: 'identity.device_has_certificate',
    prepare: async (serial) => {
      await enrolled(serial);
      return {};
    },
  },
  {
    name: 'a device of another product',
    code: 'identity.wrong_product',
    prepare: async (serial) => {
      const body = { id: serial, serial, product: 'lock', hardwareRevision: 'rev-a' };
      await system.api.call('devices.create', { body });
      return {};
    },
  },
  ...(['revoked', 'suspended', 'quarantined'] as const).flatMap((state): readonly Row[] => [
    {
      name: `a ${state} device`,
      code: `identity.device_${state}`,
      prepare: async (serial) => {
        await enrolled(serial);
        await HELD_BACK[state](serial);
        return {};
      },
    },
    {
      name: `a ${state} device that was let in again, whose certificate ${state === 'revoked' ? 'is gone' : 'still counts'}`,
      code: state === 'revoked' ? 'allowed' : 'identity.device_has_certificate',
      prepare: async (serial) => {
        await enrolled(serial);
        await HELD_BACK[state](serial);
        await system.api.call('devices.readmit', { device: serial });
        return {};
      },
    },
  ]),
];

describe.each(Object.entries(DOORS))('%s', (doorName, door) => {
  const prefix = `d${Object.keys(DOORS).indexOf(doorName)}`;
  const rows = ROWS.filter(({ about }) => about === undefined || !LACKING[about].test(doorName));

  it.each(rows.map((row, at) => ({ ...row, serial: `${prefix}-${at}` })))('answers $code to $name', async (row) => {
    const prepared = await row.prepare(row.serial);
    const claim = prepared.claim ?? (await system.addClaim({ product: 'lamp', serials: [row.serial] }));
    const csr = prepared.csr ?? (await requestFor(row.serial));
    expect(await door({ claim, csr, serial: row.serial })).toBe(row.code);
  });
});

describe('EST simplereenroll, the door of devices', () => {
  it.each(BAD_REQUESTS)('answers $code to $name', async ({ name, code, make }) => {
    const serial = `renewing-${name.replaceAll(/\W/g, '-')}`;
    const device = await system.enroll(serial);
    expect(verdictOf(await system.est('simplereenroll', device, await make(serial)))).toBe(code);
  });

  it.each([
    ['revoked', 'identity.certificate_revoked'],
    ['suspended', 'identity.device_suspended'],
    ['quarantined', 'identity.device_quarantined'],
  ] as const)('answers a %s device with %s', async (state, code) => {
    const serial = `renewing-${state}`;
    const device = await enrolled(serial);
    await HELD_BACK[state](serial);
    expect(verdictOf(await system.est('simplereenroll', device, await requestFor(serial)))).toBe(code);
  });

  it('renews for the client of the device package, and the old certificate ends with the first use of the new', async () => {
    const device = await system.enroll('renewing-well');
    const port = system.port('https');
    const credentials = { anchors: [system.ca], certificatePem: device.pem, key: device.key };
    const https = new HttpsClient(credentials, systemClock);
    const current = decodeCertificate(decodePem(device.pem, 'CERTIFICATE'));
    const key = await generatePrivateKey('P-256');
    const renewed = await new EstClient(https, { host: 'localhost', port }).renew(current, key);
    https.close();
    if (renewed.kind !== 'issued') throw new TypeError('not issued');
    const next = { keyPem: key.exportPem(), pem: renewed.certificatePem };
    expect((await system.mqtt(next, { id: device.id })).connack).toBe(0);
    expect((await system.mqtt(device, { id: device.id })).connack).toBe(0x87);
  });
});

describe('doors that are not for enrollment', () => {
  it('are shut to a device that asks for enrollment', async () => {
    const device = await system.enroll('side-2');
    expect((await system.est('simpleenroll', device, await requestFor('side-3'))).status).toBe(403);
    const client = await system.mqtt(device, { id: 'side-2' });
    expect(await client.publishOnce('$aws/certificates/create/json')).toBe(0x87);
    expect(await client.publishOnce('$aws/certificates/create-from-csr/cbor')).toBe(0x87);
    expect(await client.publishOnce('$aws/provisioning-templates/lamp/provision/json')).toBe(0x87);
  });

  it('let nobody choose a listed serial number by the subject of a request', async () => {
    const claim = await system.addClaim({ product: 'lamp', serials: ['side-1', 'side-6'] });
    for (const operation of ['simpleenroll', 'simplereenroll', 'lamp/simpleenroll']) {
      const answer = await system.est(operation, credentialOf(claim), await requestFor('side-1'));
      expect([operation, verdictOf(answer)]).toEqual([operation, 'identity.serial_required']);
    }
  });

  it('are shut to whoever shows no certificate on the open enrollment listener', async () => {
    const headers = { 'content-type': 'application/pkcs10' };
    const body = Buffer.from(await requestFor('side-4')).toString('base64');
    const port = system.port('enrollment');
    for (const operation of ['simpleenroll', 'simplereenroll', 'serverkeygen', 'fullcmc']) {
      const answer = await system.https('POST', `/.well-known/est/${operation}`, { port, headers, body });
      expect([operation, [401, 403, 404, 501].includes(answer.status)]).toEqual([operation, true]);
    }
  });

  it("answer a template or a label of another product alike: the claim is its own product's", async () => {
    const claim = await system.addClaim({ product: 'lamp', serials: ['side-5'] });
    const csr = await requestFor('side-5');
    const client = await system.mqtt(credentialOf(claim), { id: 'side-5' });
    const csrPem = encodePem('CERTIFICATE REQUEST', csr);
    const order = { format: 'json', serial: 'side-5', template: 'lock', csrPem } as const;
    expect(await provision(client, order)).toBe('identity.wrong_template');
    expect(verdictOf(await system.est('lock/simpleenroll', credentialOf(claim), csr))).toBe('identity.wrong_template');
  });
});

/** Our encoder writes no control characters, so they are put into its bytes before these are signed. */
async function hostileRequest(value: string, key: PrivateKey): Promise<Uint8Array> {
  const plain = value.replaceAll(/\p{Cc}/gu, '~');
  const name = Buffer.from(encodeName([{ type: 'commonName', value: plain }]));
  const at = name.indexOf(plain);
  name.write(value, at, 'utf8');
  const signer = createSigner(key);
  const tbs = encodeCertificationRequestInfo({ subject: name, spki: signer.publicKeySpki, extensions: [] });
  return encodeSigned(tbs, encodeSignatureAlgorithm(signer.algorithm), await signer.sign(tbs));
}

describe('a subject made to be read as more than a name (V18)', () => {
  const HOSTILE = [
    'x","isCA":true,"y":"',
    '{{.Subject}} ${serial} #{x}',
    'x\nBasic-Constraints: CA:TRUE\r\n',
    'admin\u0000.example',
    'CN=admin,O=Holdfast',
    '../../root',
  ];

  it.each(HOSTILE.map((value, at) => ({ value, serial: `hostile-${at}` })))(
    'gives $serial a certificate with the names of the registry only',
    async ({ value, serial }) => {
      const claim = await system.addClaim({ product: 'lamp', serials: [serial] });
      const key = await generatePrivateKey('P-256');
      const csr = await hostileRequest(value, key);
      const answer = await system.est('simpleenroll', credentialOf(claim), csr);
      expect([answer.status, answer.status === 200 ? '' : answer.text]).toEqual([200, '']);
      const der = decodePem(issuedPem(answer), 'CERTIFICATE');
      const certificate = decodeCertificate(der);
      expect(attributeTexts(certificate.subject, OID.commonName)).toEqual([serial]);
      expect(Buffer.from(der).includes(Buffer.from(value))).toBe(false);
      expect(Buffer.from(der).includes(`urn:holdfast:default:device:${serial}`)).toBe(true);
    },
  );
});
