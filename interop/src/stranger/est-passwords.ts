import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCsr, createSigner, importPrivateKeyPem, sha1Identifier } from '@holdfast/crypto';
import { DerReader, encodeContext, encodeOid, encodeSequence } from '@holdfast/wire/asn1';
import { decodeSpki, OID } from '@holdfast/wire/x509';
import { check, expectEqual, expectThat, type Report, type Stranger } from '../stranger.ts';
import { HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, succeed, toolVersion } from '../world/run-tool.ts';

/** A product whose devices may be given keys, and one whose devices wait. */
const PRODUCTS = { keys: 'est-keys', gate: 'est-gate' } as const;

export const estPasswords: Stranger = {
  name: 'curl, openssl and certtool by password',
  source: 'Debian',
  deed: 'EST without a certificate: HTTP Basic, serverkeygen, labels, waiting for approval; two toolkits read every answer',
  install: 'apt-get install curl openssl gnutls-bin',
  version: async () => {
    const versions = [await toolVersion('curl', ['--version']), await debianVersion('gnutls-bin')];
    return versions.includes(undefined) ? undefined : versions.join(' and ');
  },
  meet: async (world, report) => {
    await makeEstProducts(world);
    await enroll(world, report);
    await takeKey(world, report);
    await takeSealedKey(world, report);
    await wait(world, report);
  },
};

/** Made once, whoever comes first. */
export async function makeEstProducts(world: HoldfastWorld): Promise<void> {
  const { rows } = await world.api.call('products.list', { query: {} });
  for (const [name, body] of [
    [PRODUCTS.keys, { serverKeys: 'everywhere' }],
    [PRODUCTS.gate, { approval: 'operator' }],
  ] as const) {
    if (rows.some((row) => row.name === name)) continue;
    await world.api.call('products.create', { body: { name, evidence: 'none' } });
    await world.api.call('products.set-enrollment', { product: name, body });
  }
}

export const WAITING_PRODUCT = PRODUCTS.gate;
export const SERVER_KEY_PRODUCT = PRODUCTS.keys;

/** A serial number and its password, as curl and strongSwan take them. */
export async function labelFor(world: HoldfastWorld, prefix: string, product: string) {
  const serial = world.newSerial(prefix);
  const { id: claim } = await world.api.call('claims.create', { body: { product, serials: [serial] } });
  const { passwords } = await world.api.call('claims.mint-passwords', { claim, body: { serials: [serial] } });
  return { serial, userpass: `${serial}:${passwords[0]?.password}` };
}

/** Lets the device of this serial number have its certificate. */
export async function approve(world: HoldfastWorld, serial: string): Promise<void> {
  const { rows } = await world.api.call('enrollment-requests.list', { query: {} });
  const request = rows.find((row) => row.serial === serial)?.id;
  if (request === undefined) throw new Error(`${serial} does not wait`);
  await world.api.call('enrollment-requests.approve', { request });
}

interface Files {
  readonly key: string;
  readonly csr: string;
  readonly answer: string;
}

async function filesFor(world: HoldfastWorld, serial: string): Promise<Files> {
  const folder = world.scratch('est-passwords');
  const [key, csr, answer] = ['key', 'csr', 'answer'].map((end) => path.join(folder, `${serial}.${end}`));
  const files = { key: key ?? '', csr: csr ?? '', answer: answer ?? '' };
  await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', files.key]);
  const der = await succeed('openssl', ['req', '-new', '-key', files.key, '-subj', '/CN=any', '-outform', 'DER']);
  writeFileSync(files.csr, await succeed('openssl', ['base64'], { input: der }));
  return files;
}

/** @returns the status and, where there is one, Retry-After */
async function post(world: HoldfastWorld, operation: string, userpass: string | undefined, files: Files) {
  const url = `https://${HOST}:${world.ports.enroll}/.well-known/est/${operation}`;
  const asked = ['-sS', '--cacert', world.rootFile, '-o', files.answer, '-w', '%{http_code} %header{retry-after}'];
  const body = ['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${files.csr}`];
  const said = await succeed('curl', [...asked, ...(userpass === undefined ? [] : ['--user', userpass]), ...body, url]);
  const [status = '', retryAfter = ''] = said.toString().split(' ');
  return { status: Number(status), retryAfter };
}

async function enroll(world: HoldfastWorld, report: Report): Promise<void> {
  await check(report, 'simpleenroll by password, and once more for the answer that was lost', async () => {
    const { serial, userpass } = await labelFor(world, 'pw', PRODUCTS.keys);
    const files = await filesFor(world, serial);
    expectEqual((await post(world, 'simpleenroll', userpass, files)).status, 200, 'status');
    const first = readFileSync(files.answer, 'utf8');
    const der = Buffer.from(first, 'base64');
    const pem = await succeed('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: der });
    expectThat(pem.includes(`subject=CN = ${serial}`), `openssl read ${pem.toString()}`);
    const info = await succeed('certtool', ['--p7-info', '--inder'], { input: der });
    expectThat(info.includes('Number of certificates: 1'), `certtool read ${info.toString()}`);
    const kept = world.keep(serial, pem.toString(), readFileSync(files.key, 'utf8'));
    const facts = (await succeed('certtool', ['--certificate-info', '--infile', kept.certificateFile])).toString();
    expectThat(facts.includes(`urn:holdfast:default:device:${serial}`), `certtool read ${facts}`);
    expectEqual((await post(world, 'simpleenroll', userpass, files)).status, 200, 'status of the retry');
    expectEqual(readFileSync(files.answer, 'utf8'), first, 'answer to the retry');
    expectEqual(
      (await post(world, 'simpleenroll', userpass, await filesFor(world, serial))).status,
      401,
      'another key',
    );
  });
  await check(report, 'no password and a wrong one are refused with 401', async () => {
    const { serial } = await labelFor(world, 'pw', PRODUCTS.keys);
    const files = await filesFor(world, serial);
    expectEqual((await post(world, 'simpleenroll', undefined, files)).status, 401, 'none');
    expectEqual(
      (await post(world, 'simpleenroll', `${serial}:000000-000000-000000-000000`, files)).status,
      401,
      'wrong',
    );
  });
}

async function takeKey(world: HoldfastWorld, report: Report): Promise<void> {
  await check(
    report,
    'serverkeygen: openssl and certtool read the key, and it is the one of the certificate',
    async () => {
      const { serial, userpass } = await labelFor(world, 'pw', PRODUCTS.keys);
      const files = await filesFor(world, serial);
      expectEqual((await post(world, `${PRODUCTS.keys}/serverkeygen`, userpass, files)).status, 200, 'status');
      const [key = Buffer.alloc(0), certificates = Buffer.alloc(0)] = partsOf(readFileSync(files.answer, 'latin1'));
      const own = await succeed('openssl', ['pkey', '-inform', 'DER', '-pubout'], { input: key });
      const pem = await succeed('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: certificates });
      const certified = await succeed('openssl', ['x509', '-noout', '-pubkey'], { input: pem });
      expectEqual(own.toString(), certified.toString(), 'public key');
      const facts = await succeed('certtool', ['--key-info', '--pkcs8', '--null-password', '--inder'], { input: key });
      expectThat(/EC\/ECDSA/.test(facts.toString()), `certtool read ${facts.toString()}`);
    },
  );
}

async function wait(world: HoldfastWorld, report: Report): Promise<void> {
  await check(report, 'a device of a product that wants approval is answered 202 until it has it', async () => {
    const { serial, userpass } = await labelFor(world, 'pw', PRODUCTS.gate);
    const files = await filesFor(world, serial);
    const first = await post(world, 'simpleenroll', userpass, files);
    expectEqual([first.status, Number(first.retryAfter) > 0], [202, true], 'status and Retry-After');
    await approve(world, serial);
    expectEqual((await post(world, 'simpleenroll', userpass, files)).status, 200, 'status after approval');
  });
}

/** A request that names its own key to encrypt for: asymmetricDecryptKeyIdentifier of RFC 7030 4.4.1.2. */
async function requestEnvelope(files: Files): Promise<void> {
  const key = importPrivateKeyPem(
    (await succeed('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', files.key])).toString(),
  );
  const asymmetricDecryptKeyId = sha1Identifier(decodeSpki(key.publicKey.spki).key);
  const csr = await createCsr({ subject: [], asymmetricDecryptKeyId }, createSigner(key));
  writeFileSync(files.csr, Buffer.from(csr).toString('base64'));
}

async function takeSealedKey(world: HoldfastWorld, report: Report): Promise<void> {
  await check(report, 'serverkeygen in an envelope: openssl cms opens it, and verifies who made the key', async () => {
    const { serial, userpass } = await labelFor(world, 'pw', PRODUCTS.keys);
    const files = await filesFor(world, serial);
    await requestEnvelope(files);
    expectEqual((await post(world, 'serverkeygen', userpass, files)).status, 200, 'status');
    const [sealed = Buffer.alloc(0), certificates = Buffer.alloc(0)] = partsOf(readFileSync(files.answer, 'latin1'));
    const signed = await succeed('openssl', ['cms', '-decrypt', '-binary', '-inform', 'DER', '-inkey', files.key], {
      input: sealed,
    });
    const wrapped = encodeSequence(encodeOid(OID.signedData), encodeContext(0, signed));
    const chain = ['-CAfile', world.rootFile, '-purpose', 'any'];
    const verify = ['cms', '-verify', '-binary', '-inform', 'DER', ...chain];
    const keys = await succeed('openssl', verify, { input: wrapped });
    const [key = new Uint8Array()] = new DerReader(keys).sequenceOf('keys', (item) => item.any('key'), 1);
    const own = await succeed('openssl', ['pkey', '-inform', 'DER', '-pubout'], { input: key });
    const pem = await succeed('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: certificates });
    const certified = await succeed('openssl', ['x509', '-noout', '-pubkey'], { input: pem });
    expectEqual(own.toString(), certified.toString(), 'public key');
  });
}

/** Bodies of the parts, decoded (RFC 2046). */
function partsOf(text: string): readonly Buffer[] {
  const boundary = /^--[^\r\n]+/.exec(text)?.[0] ?? '';
  const parts = text.split(boundary).slice(1, -1);
  return parts.map((part) => Buffer.from(part.split('\r\n\r\n')[1] ?? '', 'base64'));
}
