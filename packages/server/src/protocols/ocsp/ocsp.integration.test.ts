import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OcspIssuer } from '@holdfast/crypto';
import { encodeBase64, encodeHex, silentLog } from '@holdfast/kernel';
import { OcspResponder, OcspSigner } from '@holdfast/trust/identity';
import { encodePem } from '@holdfast/wire/pem';
import { decodeCertificate, decodeOcspResponse, encodeOcspRequest } from '@holdfast/wire/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../../testing/identity-world.ts';
import { PublicListener } from '../https/open-listener.ts';
import { OCSP_PATH, ocspRoutes, plainTarget } from './index.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-ocsp-'));
const file = (name: string) => join(folder, name);
const pem = (name: string, der: Uint8Array) => writeFileSync(file(name), encodePem('CERTIFICATE', der));

let world: IdentityWorld;
let signer: OcspSigner;
let listener: PublicListener;
let port: number;
let issuer: OcspIssuer;
const serials: Record<string, string> = {};

beforeAll(async () => {
  world = await openIdentityWorld();
  // The oracles compare with the time of this machine.
  world.clock.jump(Date.now() - world.clock.now());
  await world.addProduct('lamp');
  const { authority, clock, repositories } = world;
  signer = new OcspSigner({ clock, log: silentLog, ...repositories, authority });
  await signer.start();
  const responder = new OcspResponder({ clock, log: silentLog, ...repositories, issuer: authority.issuing, signer });
  issuer = new OcspIssuer(decodeCertificate(authority.issuing.der));
  listener = new PublicListener({
    host: '127.0.0.1',
    port: 0,
    routes: ocspRoutes({ responder, clock }),
    plainTarget,
    clock,
    log: silentLog,
  });
  port = await listener.listen();
  pem('root.pem', authority.rootDer);
  pem('issuing.pem', authority.issuing.der);
  for (const name of ['good', 'revoked']) {
    const claim = await world.addClaim({ serials: [name] });
    const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection(name, 'est'));
    pem(`${name}.pem`, certificateDer);
    serials[name] = decodeCertificate(certificateDer).serial;
  }
  await world.revocation.device(ADMIN, 'revoked', 'keyCompromise');
});
afterAll(async () => {
  await listener.close();
  await signer.close();
  await world.opened.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

function ask(method: string, path: string, body?: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const whole = new Uint8Array(Buffer.concat(chunks));
        resolve({ status: response.statusCode, headers: response.headers, body: whole });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const escaped = (der: Uint8Array) => `${OCSP_PATH}/${encodeURIComponent(encodeBase64(der))}`;
const plain = (der: Uint8Array) => `${OCSP_PATH}/${encodeBase64(der)}`;
const kindOf = ({ body }: Answer) => {
  const response = decodeOcspResponse(body);
  return response.kind === 'error' ? response.status : response.responses[0]?.status.kind;
};

describe('OCSP over plain HTTP', () => {
  it.each(['-sha1', '-sha256'])('satisfies openssl ocsp with %s CertIDs, with and without a nonce', async (hash) => {
    for (const [name, word] of Object.entries({ good: 'good', revoked: 'revoked' })) {
      for (const nonce of [[], ['-no_nonce']]) {
        const { stdout, stderr } = await run('openssl', [
          'ocsp',
          hash,
          ...nonce,
          '-issuer',
          file('issuing.pem'),
          '-cert',
          file(`${name}.pem`),
          '-CAfile',
          file('root.pem'),
          '-verify_other',
          file('issuing.pem'),
          '-url',
          `http://127.0.0.1:${port}${OCSP_PATH}`,
        ]);
        expect(stderr).toContain('Response verify OK');
        expect(stdout).toContain(`${name}.pem: ${word}`);
        if (name === 'revoked') expect(stdout).toContain('Reason: keyCompromise');
      }
    }
  });

  it('satisfies gnutls ocsptool', async ({ skip }) => {
    if (spawnSync('ocsptool', ['--version']).status !== 0) skip('ocsptool (gnutls-bin) is not installed');
    for (const [name, word] of Object.entries({
      good: /Certificate Status: good/,
      revoked: /Certificate Status: revoked/,
    })) {
      // It ends with 1 for a revoked certificate.
      const { stdout } = await run('ocsptool', [
        `--ask=http://127.0.0.1:${port}${OCSP_PATH}`,
        '--nonce',
        '--load-trust',
        file('issuing.pem'),
        '--load-cert',
        file(`${name}.pem`),
        '--load-issuer',
        file('issuing.pem'),
      ]).catch((error: { stdout: string }) => error);
      expect(stdout).toMatch(word);
      expect(stdout).toMatch(/Verifying OCSP Response: Success/);
    }
  });

  it('answers a GET alike whether base64 was escaped or not, to be cached no longer than it holds', async () => {
    for (let i = 0, seen = 0; seen < 3 && i < 400; i++) {
      const serial = i === 0 ? (serials['good'] ?? '') : encodeHex(Uint8Array.of(0x41, i >> 8, i & 0xff, 0xff, 0xfe));
      const der = encodeOcspRequest(issuer.certId(serial));
      // Those are the forms that go wrong: with `/`, with `//`, with `+`.
      const form = ['/', '//', '+'][seen] ?? '';
      if (!encodeBase64(der).includes(form)) continue;
      seen++;
      const [one, two] = [await ask('GET', escaped(der)), await ask('GET', plain(der))];
      expect([one.status, two.status, kindOf(one)]).toEqual([200, 200, kindOf(two)]);
      expect(one.headers).toMatchObject({
        'content-type': 'application/ocsp-response',
        'cache-control': 'public, no-transform, must-revalidate, max-age=300',
      });
    }
    expect(kindOf(await ask('GET', escaped(encodeOcspRequest(issuer.certId(serials['good'] ?? '')))))).toBe('good');
  });

  it('lets no cache keep an answer to a POST, to a nonce, or a refusal', async () => {
    const certId = issuer.certId(serials['good'] ?? '');
    const answers = [
      await ask('POST', OCSP_PATH, encodeOcspRequest(certId)),
      await ask('GET', escaped(encodeOcspRequest(certId, new Uint8Array(16)))),
      await ask('GET', `${OCSP_PATH}/AAAA`),
      await ask('POST', OCSP_PATH, Uint8Array.of(0x30)),
    ];
    expect(answers.map(({ headers }) => headers['cache-control'])).toEqual(answers.map(() => 'no-store'));
    expect(answers.map(kindOf)).toEqual(['good', 'good', 1, 1]);
  });

  it.each([
    ['DELETE', OCSP_PATH, 405],
    ['GET', OCSP_PATH, 405],
    ['GET', `${OCSP_PATH}/`, 400],
    ['GET', `${OCSP_PATH}/..%2fca`, 400],
    ['GET', `${OCSP_PATH}/%`, 400],
    ['GET', `${OCSP_PATH}/a/b%`, 400],
  ])('answers %s %s with %i', async (method, path, status) => {
    expect((await ask(method, path)).status).toBe(status);
  });

  it('reads no more of a POST than a request may have', async () => {
    expect((await ask('POST', OCSP_PATH, new Uint8Array(16 * 1024 + 1))).status).toBe(413);
  });
});
