import { request } from 'node:http';
import { ManualClock, silentLog } from '@holdfast/kernel';
import type { CertificateRecord, PublishedCrl } from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PublicListener } from './open-listener.ts';
import { crlPath, issuerPath, publicRoutes } from './public-routes.ts';

const ISSUER = 'a'.repeat(64);
const DEVICE = 'd'.repeat(64);
const clock = new ManualClock();
const crl: PublishedCrl = {
  issuer: ISSUER,
  number: 7,
  thisUpdate: clock.now() - 1_000,
  nextUpdate: clock.now() + 60_000,
  der: Uint8Array.of(1, 2, 3),
};
const routes = publicRoutes({
  crls: { find: (issuer) => Promise.resolve(issuer === ISSUER ? crl : undefined) },
  certificates: {
    find: (fingerprint) => {
      const profile = { [ISSUER]: 'issuing', [DEVICE]: 'device' }[fingerprint];
      const record = profile === undefined ? undefined : { profile, der: Uint8Array.of(4, 5) };
      return Promise.resolve(record as CertificateRecord | undefined);
    },
  },
  clock,
});

let listener: PublicListener;
let port: number;
beforeEach(async () => {
  listener = new PublicListener({ host: '127.0.0.1', port: 0, routes, clock, log: silentLog });
  port = await listener.listen();
});
afterEach(() => listener.close());

interface Answer {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly cache: string | undefined;
  readonly length: string | undefined;
  readonly body: readonly number[];
}

function ask(method: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { headers, statusCode } = response;
        resolve({
          status: statusCode,
          type: headers['content-type'],
          cache: headers['cache-control'],
          length: headers['content-length'],
          body: Array.from(Buffer.concat(chunks)),
        });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('the public listener', () => {
  it('serves revocation lists no longer than they hold', async () => {
    expect(await ask('GET', crlPath(ISSUER))).toEqual({
      status: 200,
      type: 'application/pkix-crl',
      cache: 'public, max-age=60',
      length: '3',
      body: [1, 2, 3],
    });
  });

  it('answers HEAD with the length and no body', async () => {
    expect(await ask('HEAD', issuerPath(ISSUER))).toMatchObject({ status: 200, length: '2', body: [] });
  });

  it.each([
    ['GET', issuerPath(ISSUER), 200],
    ['GET', issuerPath(DEVICE), 404],
    ['GET', crlPath(DEVICE), 404],
    ['GET', `/crl/${ISSUER}`, 404],
    ['GET', `/crl/${ISSUER}.cer`, 404],
    ['GET', '/', 400],
    ['GET', '/.well-known/est/cacerts', 404],
    ['POST', crlPath(ISSUER), 405],
    ['PUT', issuerPath(ISSUER), 405],
    ['DELETE', crlPath(ISSUER), 405],
    ['OPTIONS', crlPath(ISSUER), 405],
    ['TRACE', crlPath(ISSUER), 405],
  ])('answers %s %s with %i', async (method, path, status) => {
    expect((await ask(method, path)).status).toBe(status);
  });

  it('takes no row that is not for anyone', () => {
    const [row] = routes;
    const guarded = row === undefined ? [] : [{ ...row, audience: ['device'] as const }];
    expect(() => new PublicListener({ host: '127.0.0.1', port: 0, routes: guarded, clock, log: silentLog })).toThrow();
  });

  it('says which port is taken', async () => {
    const second = new PublicListener({ host: '127.0.0.1', port, routes, clock, log: silentLog });
    await expect(second.listen()).rejects.toThrowError(expect.objectContaining({ code: 'server.port_taken' }));
  });
});
