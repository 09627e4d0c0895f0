import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import {
  createCsr,
  createSigner,
  generatePrivateKey,
  importPrivateKey,
  type PrivateKey,
  sha1Identifier,
} from '@holdfast/crypto';
import { decodeBase64, encodeBase64 } from '@holdfast/kernel';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { decodeCsrAttributes } from '@holdfast/wire/est';
import { decodeCertificate, decodeSpki, OID } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpAnswer } from './testing/https-ask.ts';
import { credentialOf, csrFor, issuedPem, TestSystem } from './testing/system.ts';

let system: TestSystem;
let counted = 0;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  await system.addProduct('gate');
  await system.api.call('products.set-enrollment', { product: 'gate', body: { approval: 'operator' } });
  await system.addProduct('chip');
  await system.api.call('products.set-enrollment', {
    product: 'chip',
    body: { serverKeys: 'everywhere', binding: 'required' },
  });
});
afterAll(() => system.close());

interface Labelled {
  readonly claim: string;
  readonly serial: string;
  /** What the Authorization header says. */
  readonly basic: string;
}

const basicOf = (name: string, password: string) => `Basic ${encodeBase64(Buffer.from(`${name}:${password}`))}`;

/** A device with a label on it. */
async function labelled(product = 'lamp', expiresInHours = 1): Promise<Labelled> {
  const serial = `${product}-${++counted}`;
  const { id: claim } = await system.addClaim({ product, serials: [serial] });
  const { passwords } = await system.api.call('claims.mint-passwords', {
    claim,
    body: { serials: [serial], expiresInHours },
  });
  return { claim, serial, basic: basicOf(serial, passwords[0]?.password ?? '') };
}

interface Posting {
  readonly basic?: string;
  readonly csr?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls?: ConnectionOptions;
}

async function post(operation: string, given: Posting = {}): Promise<HttpAnswer> {
  const { basic, csr = await freshCsr(), headers = {}, body = encodeBase64(csr), tls = {} } = given;
  return system.https('POST', `/.well-known/est/${operation}`, {
    port: system.port('enrollment'),
    tls,
    headers: {
      'content-type': 'application/pkcs10',
      ...(basic === undefined ? {} : { authorization: basic }),
      ...headers,
    },
    body,
  });
}

const freshCsr = async (key?: PrivateKey): Promise<Uint8Array> =>
  csrFor({ key: key ?? (await generatePrivateKey('P-256')), serial: 'ignored' });

const namesIn = (answer: HttpAnswer) => {
  const [der = new Uint8Array()] = decodeCertsOnly(decodeBase64(answer.text.replaceAll(/\s/g, '')));
  return decodeCertificate(der).known.subjectAltName;
};

describe('enrollment with a one-time password', () => {
  it('gives the certificate alone, and the device connects with it', async () => {
    const { serial, basic } = await labelled();
    const key = await generatePrivateKey('P-256');
    const answer = await post('simpleenroll', { basic, csr: await freshCsr(key) });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
    expect(namesIn(answer)).toEqual([{ kind: 'uri', text: `urn:holdfast:default:device:${serial}` }]);
    const client = await system.mqtt({ keyPem: key.exportPem(), pem: issuedPem(answer) }, { id: serial });
    expect(client.connack).toBe(0);
  });

  it('answers whoever lost the answer once more, and only with the same key', async () => {
    const { basic } = await labelled();
    const csr = await freshCsr();
    const [first, again] = [await post('simpleenroll', { basic, csr }), await post('simpleenroll', { basic, csr })];
    expect(again.text).toBe(first.text);
    expect((await post('simpleenroll', { basic })).status).toBe(401);
    await system.stop();
    await system.start();
    expect((await post('simpleenroll', { basic, csr })).text).toBe(first.text);
  });

  it('answers none, an unknown, a wrong, a used and an expired one alike', async () => {
    const used = await labelled();
    await post('simpleenroll', { basic: used.basic });
    const expired = await labelled('lamp', 0.01);
    const fresh = await labelled();
    system.clock.jump(60_000);
    const tries: readonly (string | undefined)[] = [
      undefined,
      basicOf('nobody', 'x'),
      basicOf(fresh.serial, 'x'),
      used.basic,
      expired.basic,
      'Basic %%%',
      'Bearer x',
    ];
    const answers = await Promise.all(tries.map((basic) => post('simpleenroll', basic === undefined ? {} : { basic })));
    const seen = answers.map(({ status, text, headers }) => ({ status, text, ask: headers['www-authenticate'] }));
    expect(new Set(seen.map((each) => JSON.stringify(each)))).toHaveLength(1);
    expect(seen[0]).toMatchObject({ status: 401, ask: expect.stringMatching(/^Basic realm="[^"]+"/) });
    expect((await post('simpleenroll', { basic: fresh.basic })).status).toBe(200);
  });

  it('reads base64 in every form, and minds no Content-Transfer-Encoding (RFC 8951)', async () => {
    const wrapped = (csr: Uint8Array, end: string) => encodeBase64(csr).replaceAll(/.{64}/g, (line) => line + end);
    const csr = await freshCsr();
    const forms: readonly Posting[] = [
      { body: wrapped(csr, '\r\n') },
      { body: `${wrapped(csr, '\n')}\n` },
      { body: wrapped(csr, ' \t\r\n'), headers: { 'CONTENT-TRANSFER-ENCODING': 'Base64' } },
      { body: encodeBase64(csr), headers: { 'content-transfer-encoding': 'binary' } },
      { body: encodeBase64(csr), headers: { 'content-type': 'Application/PKCS10; charset=us-ascii' } },
      { body: `-----BEGIN CERTIFICATE REQUEST-----\n${wrapped(csr, '\n')}\n-----END CERTIFICATE REQUEST-----\n` },
    ];
    const { basic } = await labelled();
    for (const form of forms) expect((await post('simpleenroll', { basic, ...form })).status).toBe(200);
  });

  it('takes the product of the device as a label, and no other', async () => {
    const { basic, serial } = await labelled();
    expect((await post('nothing/simpleenroll', { basic })).status).toBe(404);
    expect(await post('gate/simpleenroll', { basic })).toMatchObject({ status: 403 });
    expect(namesIn(await post('lamp/simpleenroll', { basic }))).toEqual([
      { kind: 'uri', text: `urn:holdfast:default:device:${serial}` },
    ]);
  });

  it('serves nothing that needs a certificate, and says that full CMC is not offered', async () => {
    const { basic } = await labelled();
    expect((await post('simplereenroll', { basic })).status).toBe(404);
    expect((await post('fullcmc', { basic })).status).toBe(501);
    const crts = await system.https('GET', '/artifacts/x', { port: system.port('enrollment') });
    expect(crts.status).toBe(404);
  });

  it('lists what was used, by whom it was made, and never a password', async () => {
    const { claim, serial, basic } = await labelled();
    await post('simpleenroll', { basic });
    const { rows } = await system.api.call('claims.passwords', { claim });
    expect(rows).toMatchObject([{ serial, state: 'used' }]);
    const secret = Buffer.from(basic.slice(6), 'base64').toString().split(':').at(-1) ?? '';
    expect(JSON.stringify([rows, system.logged])).not.toContain(secret);
  });
});

describe('a key made by the server', () => {
  /** RFC 2046 by the letter, and nothing of ours. */
  function partsOf({ text, headers }: HttpAnswer): readonly { readonly type: string; readonly der: Uint8Array }[] {
    const boundary = /boundary=([\w-]+)/.exec(headers['content-type'] ?? '')?.[1] ?? '';
    return text
      .split(`--${boundary}`)
      .slice(1, -1)
      .map((part) => {
        const [head = '', body = ''] = part.split('\r\n\r\n');
        return {
          type: /content-type: *(.+?)\r?$/im.exec(head)?.[1] ?? '',
          der: decodeBase64(body.replaceAll(/\s/g, '')),
        };
      });
  }

  it('comes with its certificate in two parts', async () => {
    const { basic, serial } = await labelled('chip');
    const answer = await post('chip/serverkeygen', { basic });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^multipart\/mixed; boundary=/);
    const [key, certificate, ...others] = partsOf(answer);
    expect(others).toEqual([]);
    expect([key?.type, certificate?.type]).toEqual([
      'application/pkcs8',
      'application/pkcs7-mime; smime-type=certs-only',
    ]);
    const [der = new Uint8Array()] = decodeCertsOnly(certificate?.der ?? new Uint8Array());
    expect(decodeCertificate(der).spki.raw).toEqual(importPrivateKey(key?.der ?? new Uint8Array()).publicKey.spki);
    const shown = await system.api.call('devices.show', { device: serial });
    expect(shown.certificates).toMatchObject([{ keyOrigin: 'server' }]);
  });

  it('comes in an envelope for the key of the request when the request asks for that', async () => {
    const { basic } = await labelled('chip');
    const key = await generatePrivateKey('P-256');
    const asymmetricDecryptKeyId = sha1Identifier(decodeSpki(key.publicKey.spki).key);
    const csr = await createCsr({ subject: [], asymmetricDecryptKeyId }, createSigner(key));
    const [sealed, certificate] = partsOf(await post('serverkeygen', { basic, csr }));
    expect([sealed?.type, certificate?.type]).toEqual([
      'application/pkcs7-mime; smime-type=server-generated-key',
      'application/pkcs7-mime; smime-type=certs-only',
    ]);
    expect(Buffer.from(sealed?.der ?? []).includes(Buffer.from(asymmetricDecryptKeyId))).toBe(true);
  });

  it('is refused where the product does not let it', async () => {
    const { basic } = await labelled();
    expect(await post('serverkeygen', { basic })).toMatchObject({
      status: 403,
      text: expect.stringMatching(/^identity\.server_key_refused: /),
    });
    expect((await post('serverkeygen')).status).toBe(401);
  });
});

describe('a product that wants approval', () => {
  it('answers 202 with Retry-After until an operator decides', async () => {
    const { basic, serial } = await labelled('gate');
    const csr = await freshCsr();
    const ask = () => post('simpleenroll', { basic, csr });
    const first = await ask();
    expect(first.status).toBe(202);
    expect(Number(first.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask()).status).toBe(202);
    const { rows } = await system.api.call('enrollment-requests.list', { query: {} });
    const request = rows.find((row) => row.serial === serial)?.id ?? '';
    expect(rows.filter((row) => row.serial === serial)).toHaveLength(1);
    await system.api.call('enrollment-requests.approve', { request });
    expect((await ask()).status).toBe(200);
  });

  it('answers 403 once an operator denied it', async () => {
    const { basic, serial } = await labelled('gate');
    const csr = await freshCsr();
    await post('simpleenroll', { basic, csr });
    const { rows } = await system.api.call('enrollment-requests.list', { query: {} });
    await system.api.call('enrollment-requests.deny', { request: rows.find((row) => row.serial === serial)?.id ?? '' });
    expect((await post('simpleenroll', { basic, csr })).status).toBe(403);
  });
});

describe('proof of possession that is bound to TLS 1.2', () => {
  const TLS_12 = { maxVersion: 'TLSv1.2' } as const;
  const asked = async (path: string, tls: ConnectionOptions) => {
    const answer = await system.https('GET', `/.well-known/est/${path}`, { port: system.port('enrollment'), tls });
    const entries = decodeCsrAttributes(decodeBase64(answer.text.replaceAll(/\s/g, '')));
    return entries.map((entry) => (entry.kind === 'oid' ? entry.oid : entry.type));
  };

  it('is asked for where a product demands it, and never over TLS 1.3', async () => {
    expect(await asked('chip/csrattrs', TLS_12)).toContain(OID.challengePassword);
    expect(await asked('csrattrs', TLS_12)).toContain(OID.challengePassword);
    expect(await asked('lamp/csrattrs', TLS_12)).not.toContain(OID.challengePassword);
    expect(await asked('chip/csrattrs', {})).not.toContain(OID.challengePassword);
    expect(await asked('chip/csrattrs', {})).toContain(OID.certificationRequestInfoTemplate);
  });

  /** One request over a connection whose tls-unique the client puts into it, as RFC 7030 3.5 has it. */
  async function bound(basic: string, spoil: (unique: Buffer) => Buffer): Promise<string> {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      servername: 'localhost',
      port: system.port('enrollment'),
      ca: system.ca,
      ...TLS_12,
    });
    await once(socket, 'secureConnect');
    const unique = socket.getFinished();
    const csr = await createCsr(
      {
        subject: [{ type: 'commonName', value: 'ignored' }],
        challengePassword: encodeBase64(spoil(unique ?? Buffer.alloc(0))),
      },
      createSigner(await generatePrivateKey('P-256')),
    );
    const body = encodeBase64(csr);
    socket.write(
      [
        'POST /.well-known/est/simpleenroll HTTP/1.1',
        'Host: localhost',
        'Connection: close',
        `Authorization: ${basic}`,
        'Content-Type: application/pkcs10',
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n'),
    );
    let said = '';
    for await (const chunk of socket) said += String(chunk);
    return said;
  }

  it('is demanded, verified against the connection, and enough', async () => {
    const { basic } = await labelled('chip');
    expect(await post('simpleenroll', { basic, tls: TLS_12 })).toMatchObject({
      status: 400,
      text: expect.stringMatching(/^identity\.binding_required: /),
    });
    const elsewhere = await bound(basic, (unique) => Buffer.from(unique).fill(0, 0, 1));
    expect(elsewhere).toMatch(/^HTTP\/1\.1 400 .*identity\.channel_binding/s);
    expect(await bound(basic, (unique) => unique)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

it('leaves the door for certificates as it was', async () => {
  const serial = `lamp-${++counted}`;
  const claim = credentialOf(await system.addClaim({ product: 'lamp', serials: [serial] }));
  const answer = await system.est('simpleenroll', claim, await freshCsr());
  expect(namesIn(answer)).toEqual([{ kind: 'uri', text: `urn:holdfast:default:device:${serial}` }]);
});
