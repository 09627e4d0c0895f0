import { encodeBase64, encodeUtf8, HoldfastError, systemRandom } from '@holdfast/kernel';
import type { ClaimPrincipal, DevicePrincipal } from '@holdfast/trust/principal';
import { decodeCertsOnly } from '@holdfast/wire/cms';
import { decodeCsrAttributes, decodeEstBody, deviceCsrAttributes } from '@holdfast/wire/est';
import { decodeCertificate } from '@holdfast/wire/x509';
import { fingerprint } from '@holdfast/crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IdentityWorld, makeCsr, openIdentityWorld } from '../../testing/identity-world.ts';
import type { DeviceRequest, DeviceResponse, DeviceRoute } from '../https/device-route.ts';
import { type EstPorts, estRoutes } from './est-routes.ts';

const ROOT = '/.well-known/est';
const unreached = (): never => {
  throw new HoldfastError('kernel.internal');
};

function textOf({ body }: DeviceResponse): string {
  if (typeof body !== 'string') throw new TypeError('EST answers are text');
  return body;
}

describe('EST', () => {
  let world: IdentityWorld;
  let ports: EstPorts;
  let routes: readonly DeviceRoute[];
  let claim: ClaimPrincipal;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    claim = await world.addClaim({ serials: ['lamp-1'] });
    ports = {
      enrollment: world.enrollment,
      chainDer: () => world.authority.chainDer,
      tenant: 'default',
      passwords: world.passwords,
      products: world.repositories.products,
      random: systemRandom,
      keySigner: unreached,
      base64: 'by-client',
    };
    routes = estRoutes(ports);
  });
  afterEach(() => world.opened.close());

  const routeOf = (path: string): DeviceRoute => {
    const route = routes.find((each) => each.path === path);
    if (route === undefined) throw new TypeError(`no route ${path}`);
    return route;
  };

  /** What the listener does with a row. */
  const ask = async (path: string, request: Partial<DeviceRequest> = {}): Promise<DeviceResponse> => {
    const route = routeOf(path);
    try {
      return await route.handle({
        principal: undefined,
        method: route.method,
        path,
        params: {},
        query: new URLSearchParams(),
        headers: { accept: '*/*' },
        body: new Uint8Array(),
        remoteAddress: '192.0.2.1',
        signal: new AbortController().signal,
        channelBinding: () => undefined,
        ...request,
      });
    } catch (error) {
      const worded = route.wordError?.(error);
      if (worded === undefined) throw error;
      return worded;
    }
  };

  const post = async (
    operation: string,
    principal: DeviceRequest['principal'],
    request: Partial<DeviceRequest> & { readonly der?: Uint8Array } = {},
  ): Promise<DeviceResponse> => {
    const { der, ...rest } = request;
    return ask(`${ROOT}/${operation}`, {
      principal,
      headers: { accept: '*/*', 'content-type': 'application/pkcs10' },
      body: encodeUtf8(encodeBase64(der ?? (await makeCsr()))),
      ...rest,
    });
  };

  const certificatesOf = (response: DeviceResponse) => decodeCertsOnly(decodeEstBody(encodeUtf8(textOf(response))));

  it('serves every operation with and without a label', () => {
    expect(routes.map(({ method, path, audience }) => `${method} ${path} ${audience.join()}`)).toEqual(
      [
        ['GET', 'cacerts', 'anyone,claim,device'],
        ['GET', 'csrattrs', 'anyone,claim,device'],
        ['POST', 'simpleenroll', 'anyone,claim'],
        ['POST', 'simplereenroll', 'device,claim'],
        ['POST', 'serverkeygen', 'anyone,claim'],
        ['POST', 'fullcmc', 'anyone,claim,device'],
      ].flatMap(([method, operation, audience]) =>
        ['', '/{label}'].map((label) => `${method} ${ROOT}${label}/${operation} ${audience}`),
      ),
    );
  });

  it('gives the root and the issuing authority, and asks for P-256', async () => {
    const cacerts = await ask(`${ROOT}/cacerts`);
    expect(cacerts.headers).toMatchObject({ 'Content-Type': 'application/pkcs7-mime' });
    const found = certificatesOf(cacerts).map(fingerprint).sort();
    expect(found).toEqual([world.authority.issuing.fingerprint, world.authority.rootFingerprint].sort());
    const csrattrs = await ask(`${ROOT}/csrattrs`);
    expect(csrattrs.headers).toMatchObject({ 'Content-Type': 'application/csrattrs' });
    expect(decodeCsrAttributes(decodeEstBody(encodeUtf8(textOf(csrattrs))))).toEqual(deviceCsrAttributes('if-present'));
  });

  it('writes one line for a client that sends no Accept, lines of 64 for others, or what is set', async () => {
    const linesOf = async (form: EstPorts['base64'], headers: DeviceRequest['headers']): Promise<number> => {
      routes = estRoutes({ ...ports, base64: form });
      return textOf(await ask(`${ROOT}/cacerts`, { headers }))
        .trimEnd()
        .split('\n').length;
    };
    expect(await linesOf('by-client', {})).toBe(1);
    expect(await linesOf('by-client', { accept: '*/*' })).toBeGreaterThan(10);
    expect(await linesOf('single', { accept: '*/*' })).toBe(1);
    expect(await linesOf('wrapped', {})).toBeGreaterThan(10);
  });

  it('enrolls with a claim and answers with the issued certificate alone', async () => {
    const response = await post('simpleenroll', claim);
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      'Content-Type': 'application/pkcs7-mime; smime-type=certs-only',
      'Content-Transfer-Encoding': 'base64',
      'Content-Length': textOf(response).length,
    });
    const [certificate, ...others] = certificatesOf(response);
    expect(others).toEqual([]);
    expect(decodeCertificate(certificate ?? new Uint8Array()).known.subjectAltName).toEqual([
      { kind: 'uri', text: 'urn:holdfast:default:device:lamp-1' },
    ]);
  });

  it('renews with the current certificate', async () => {
    const [first] = certificatesOf(await post('simpleenroll', claim));
    const device: DevicePrincipal = {
      kind: 'device',
      tenant: 'default',
      deviceId: 'lamp-1',
      fingerprint: fingerprint(first ?? new Uint8Array()),
    };
    const response = await post('simplereenroll', device);
    expect(response.status).toBe(200);
    expect(certificatesOf(response)).toHaveLength(1);
  });

  it('enrolls a claim that asks for renewal, as strongSwan does, and never renews for one', async () => {
    const response = await post('simplereenroll', claim);
    expect(response.status).toBe(200);
    const [certificate] = certificatesOf(response);
    expect(decodeCertificate(certificate ?? new Uint8Array()).known.subjectAltName).toEqual([
      { kind: 'uri', text: 'urn:holdfast:default:device:lamp-1' },
    ]);
    const again = await post('simplereenroll', claim);
    expect(again.status).toBe((await post('simpleenroll', claim)).status);
    expect(again.status).toBeGreaterThanOrEqual(400);
  });

  it('binds a request to its connection when it asks to be bound (RFC 7030 3.5)', async () => {
    const bytes = Uint8Array.of(9, 9, 9);
    const der = await makeCsr({ challengePassword: encodeBase64(bytes) });
    const withBinding = (value: Uint8Array | undefined) =>
      post('simpleenroll', claim, {
        der,
        channelBinding: () => value && { kind: 'tls-unique', bytes: value },
      });
    for (const wrong of [undefined, Uint8Array.of(9, 9, 8)]) {
      const refused = await withBinding(wrong);
      expect(refused).toMatchObject({ status: 400, body: expect.stringMatching(/^identity\.channel_binding: /) });
    }
    expect((await withBinding(bytes)).status).toBe(200);
  });

  it('takes the label of the product or default and no other', async () => {
    const asLabel = async (label: string) => (await post('simpleenroll', claim, { params: { label } })).status;
    await world.addProduct('lock');
    expect(await asLabel('other')).toBe(404);
    expect(await asLabel('lock')).toBe(403);
    expect((await ask(`${ROOT}/{label}/cacerts`, { params: { label: 'nothing' } })).status).toBe(404);
    expect(await asLabel('lamp')).toBe(200);
  });

  it.each<[string, number, string, () => Promise<DeviceResponse>]>([
    ['nobody', 401, 'identity.bad_password', () => post('simpleenroll', undefined)],
    ['nobody who wants a key', 401, 'identity.bad_password', () => post('serverkeygen', undefined)],
    [
      'a device that enrolls anew',
      403,
      'request.forbidden',
      () => post('simpleenroll', { kind: 'device', tenant: 'default', deviceId: 'x', fingerprint: 'y' }),
    ],
    ['nobody that renews', 403, 'request.forbidden', () => post('simplereenroll', undefined)],
    [
      'another media type',
      415,
      'identity.media_type',
      () => post('simpleenroll', claim, { headers: { 'content-type': 'application/octet-stream' } }),
    ],
    ['no media type', 415, 'identity.media_type', () => post('simpleenroll', claim, { headers: {} })],
    ['no base64', 400, 'wire.malformed', () => post('simpleenroll', claim, { body: encodeUtf8('%%%') })],
    ['an empty body', 400, 'wire.malformed', () => post('simpleenroll', claim, { body: new Uint8Array() })],
    ['base64 of no request', 400, 'identity.bad_csr', () => post('simpleenroll', claim, { body: encodeUtf8('MAA=') })],
  ])('answers %s with %i and the code as text', async (_name, status, code, attempt) => {
    const response = await attempt();
    expect(response).toMatchObject({ status, headers: { 'Content-Type': 'text/plain' } });
    expect(textOf(response)).toMatch(new RegExp(`^${code.replace('.', '\\.')}: .+\n$`));
  });

  it('does not offer full CMC', async () => {
    expect((await ask(`${ROOT}/fullcmc`)).status).toBe(501);
    expect((await ask(`${ROOT}/{label}/fullcmc`, { params: { label: 'lamp' } })).status).toBe(501);
  });

  it('asks a client to come back when the authority does not answer', async () => {
    const broken = async (): Promise<never> => {
      throw new HoldfastError('identity.ca_unavailable');
    };
    routes = estRoutes({ ...ports, enrollment: { enrollDirect: broken, renew: broken, enrollWithServerKey: broken } });
    expect(await post('simpleenroll', claim)).toMatchObject({ status: 503, headers: { 'Retry-After': 5 } });
  });
});
