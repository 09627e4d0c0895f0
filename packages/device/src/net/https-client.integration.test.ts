import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generatePrivateKey } from '@holdfast/crypto';
import { systemClock } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EstClient } from '../enroll/est-client.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { HttpsClient } from './https-client.ts';
import { MqttConnection } from './mqtt-connection.ts';

let authority: TestAuthority;
let server: Server;
let port: number;
let https: HttpsClient;
let answers: Record<string, { status: number; headers?: Record<string, string>; body?: string } | 'silence'> = {};

beforeAll(async () => {
  authority = await TestAuthority.create();
  const { key, pem } = await authority.server();
  const tls = { key: key.exportPem(), cert: pem, ca: [authority.rootPem], requestCert: true, rejectUnauthorized: true };
  server = createServer(tls, (request, response) => {
    const answer = answers[request.url ?? ''] ?? { status: 404 };
    if (answer !== 'silence') response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  https = new HttpsClient(await credentials(authority), systemClock, 300);
});

afterAll(() => {
  https.close();
  server.closeAllConnections();
  server.close();
});

async function credentials(trusted: TestAuthority, by: TestAuthority = authority) {
  const key = await generatePrivateKey('P-256');
  return { anchors: [trusted.rootPem], certificatePem: await by.device('hub-1', key.publicKey.spki), key };
}

const get = (client: HttpsClient, path: string, host = 'localhost') =>
  client.send({ method: 'GET', url: `https://${host}:${port}${path}`, limit: 10 });

describe('the HTTPS client of a device', () => {
  it('brings status, headers and body, and follows no redirect', async () => {
    answers = { '/a': { status: 200, body: 'hello' }, '/b': { status: 302, headers: { Location: '/a' } } };
    expect(new TextDecoder().decode((await get(https, '/a')).body)).toBe('hello');
    expect((await get(https, '/b')).status).toBe(302);
  });

  it('stops at a body over its limit and at silence', async () => {
    answers = { '/long': { status: 200, body: 'x'.repeat(11) }, '/silent': 'silence' };
    await expect(get(https, '/long')).rejects.toMatchObject({ code: 'request.too_large' });
    await expect(get(https, '/silent')).rejects.toMatchObject({ code: 'device.no_answer' });
  });

  it('says who is not trusted: server of another authority, server of another name, device of another authority', async () => {
    const stranger = await TestAuthority.create('stranger');
    const wary = new HttpsClient(await credentials(stranger), systemClock, 1000);
    await expect(get(wary, '/a')).rejects.toMatchObject({ code: 'device.server_untrusted' });
    await expect(get(https, '/a', '127.0.0.1')).rejects.toMatchObject({ code: 'device.server_untrusted' });
    const refused = new HttpsClient(await credentials(authority, stranger), systemClock, 1000);
    // Node closes without an alert; other servers send one.
    await expect(get(refused, '/a')).rejects.toMatchObject({
      code: expect.stringMatching(/^device\.connection_(?:refused|lost)$/),
    });
    for (const client of [wary, refused]) client.close();
  });

  it('says so when nobody is there', async () => {
    const url = 'https://localhost:9/';
    await expect(https.send({ method: 'GET', url, limit: 1 })).rejects.toMatchObject({
      code: 'device.connection_lost',
    });
  });
});

describe('EST', () => {
  const enroll = async () =>
    new EstClient(https, { host: 'localhost', port }).enroll('s', await generatePrivateKey('P-256'));

  it('waits as long as the server asks', async () => {
    answers = { '/.well-known/est/simpleenroll': { status: 202, headers: { 'Retry-After': '7' } } };
    expect(await enroll()).toEqual({ kind: 'pending', retryAfterSeconds: 7 });
    answers = { '/.well-known/est/simpleenroll': { status: 202 } };
    expect(await enroll()).toEqual({ kind: 'pending', retryAfterSeconds: 60 });
  });

  it.each([
    [403, 'device.enrollment_rejected'],
    [400, 'device.enrollment_rejected'],
    [429, 'device.no_answer'],
    [503, 'device.no_answer'],
  ])('answers %i with %s', async (status, code) => {
    answers = { '/.well-known/est/simpleenroll': { status } };
    await expect(enroll()).rejects.toMatchObject({ code });
  });

  it.each(['', '!!!!', 'AAAA'])('refuses a reply that holds no certificate (%j)', async (body) => {
    answers = { '/.well-known/est/simpleenroll': { status: 200, body } };
    await expect(enroll()).rejects.toMatchObject({ name: 'HoldfastError' });
  });

  it('asks under its label', async () => {
    answers = { '/.well-known/est/line-1/simpleenroll': { status: 202, headers: { 'Retry-After': '1' } } };
    const est = new EstClient(https, { host: 'localhost', port, label: 'line-1' });
    expect(await est.enroll('s', await generatePrivateKey('P-256'))).toMatchObject({ kind: 'pending' });
  });
});

describe('an MQTT connection', () => {
  it('to something that speaks no MQTT ends with a coded error', async () => {
    const options = {
      host: 'localhost',
      port,
      credentials: await credentials(authority),
      clientId: 'x',
      version: 5,
      timeoutMs: 500,
      clock: systemClock,
    } as const;
    await expect(MqttConnection.open(options)).rejects.toMatchObject({ name: 'HoldfastError' });
  });

  it('to a stranger says nothing, and stops when told to', async () => {
    const stranger = await TestAuthority.create('stranger');
    const options = {
      host: 'localhost',
      port,
      clientId: 'x',
      version: 4,
      timeoutMs: 1000,
      clock: systemClock,
    } as const;
    await expect(MqttConnection.open({ ...options, credentials: await credentials(stranger) })).rejects.toMatchObject({
      code: 'device.server_untrusted',
    });
    await expect(
      MqttConnection.open({ ...options, credentials: await credentials(authority) }, AbortSignal.abort()),
    ).rejects.toMatchObject({ code: 'kernel.aborted' });
  });
});
