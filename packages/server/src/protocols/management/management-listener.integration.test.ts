import { mkdtempSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { OPERATIONS } from '@holdfast/api';
import { HoldfastError, ManualClock, seededRandom, silentLog } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import {
  ConsoleSessions,
  createManagementListener,
  listenOnSocket,
  type ManagementHandlers,
  type ManagementPorts,
} from './index.ts';

const LISTENER_OWN = new Set(['console.link', 'session.open', 'session.close']);
const ORIGIN = 'https://console.test';
const HEADERS = { host: 'console.test', 'content-type': 'application/json' };

function setUp(overrides: Partial<Record<string, (input: never) => Promise<unknown>>> = {}) {
  const clock = new ManualClock(Date.UTC(2026, 5, 1));
  const sessions = new ConsoleSessions({ clock, random: seededRandom(1) });
  const names = Object.keys(OPERATIONS).filter((name) => !LISTENER_OWN.has(name));
  const handlers = Object.fromEntries(names.map((name) => [name, overrides[name] ?? (async () => ({}))]));
  const ports: ManagementPorts = {
    tenant: 'default',
    clock,
    log: silentLog,
    handlers: handlers as unknown as ManagementHandlers,
    sessions,
    feed: { since: async () => [], subscribe: () => () => undefined },
    assets: [
      { path: '/index.html', contentType: 'text/html', bytes: Buffer.from('<!doctype html>'), immutable: false },
    ],
    operators: { authenticate: () => Promise.reject(new HoldfastError('request.unauthenticated')) },
    onForbidden: () => undefined,
    consoleOrigin: () => ORIGIN,
  };
  const { app } = createManagementListener(ports, { cert: '', key: '', ca: [] });
  const open = async () => {
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/session',
      headers: HEADERS,
      payload: { token: sessions.mintLink().token },
    });
    return String(answer.headers['set-cookie']).split(';', 1)[0] ?? '';
  };
  return { app, clock, sessions, ports, open };
}

describe('the console door', () => {
  it('is closed on every operation of the table without a session', async () => {
    const { app } = setUp();
    for (const [name, { method, path: url }] of Object.entries(OPERATIONS)) {
      if (name.startsWith('session.')) continue;
      const answer = await app.inject({ method, url: url.replace(/\{\w+\}/g, 'x'), headers: HEADERS, payload: '{}' });
      expect([name, answer.statusCode]).toEqual([name, name === 'console.link' ? 404 : 401]);
    }
    expect((await app.inject({ url: '/api/v1/events', headers: HEADERS })).statusCode).toBe(401);
  });

  it('opens with a link once, and never again with the same one', async () => {
    const { app, sessions } = setUp();
    const payload = { token: sessions.mintLink().token };
    const first = await app.inject({ method: 'POST', url: '/api/v1/session', headers: HEADERS, payload });
    const second = await app.inject({ method: 'POST', url: '/api/v1/session', headers: HEADERS, payload });
    expect([first.statusCode, second.statusCode]).toEqual([200, 401]);
    expect(first.headers['set-cookie']).toMatch(
      /^__Host-holdfast=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
  });

  it('refuses a link after ten minutes and a session after an idle hour', async () => {
    const { app, clock, sessions, open } = setUp();
    const { token } = sessions.mintLink();
    clock.advance(10 * 60_000);
    const late = await app.inject({ method: 'POST', url: '/api/v1/session', headers: HEADERS, payload: { token } });
    expect(late.statusCode).toBe(401);
    const cookie = await open();
    const get = () => app.inject({ url: '/api/v1/status', headers: { ...HEADERS, cookie } });
    expect((await get()).statusCode).toBe(200);
    clock.advance(3_600_000);
    expect((await get()).statusCode).toBe(401);
  });

  it('ends with the session it is told to end', async () => {
    const { app, open } = setUp();
    const cookie = await open();
    await app.inject({ method: 'DELETE', url: '/api/v1/session', headers: { host: HEADERS.host, cookie } });
    expect((await app.inject({ url: '/api/v1/status', headers: { ...HEADERS, cookie } })).statusCode).toBe(401);
  });

  it.each([
    { origin: 'https://evil.test' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('refuses a change that comes from elsewhere: %j', async (extra) => {
    const { app, open } = setUp();
    const headers = { ...HEADERS, cookie: await open(), ...extra };
    const answer = await app.inject({ method: 'POST', url: '/api/v1/devices/d/suspend', headers });
    expect(answer.statusCode).toBe(403);
  });

  it('ends the live stream of a session that ended, was left idle or is over', async () => {
    const ends: readonly ((world: ReturnType<typeof setUp>, cookie: string) => unknown)[] = [
      ({ app }, cookie) =>
        app.inject({ method: 'DELETE', url: '/api/v1/session', headers: { ...HEADERS, cookie, origin: ORIGIN } }),
      ({ clock }) => clock.advance(3_600_000),
    ];
    for (const end of ends) {
      const world = setUp();
      const cookie = await world.open();
      const headers = { ...HEADERS, cookie };
      const answer = await world.app.inject({ url: '/api/v1/events', headers, payloadAsStream: true });
      const stream = answer.stream();
      let ended = false;
      stream.on('error', () => undefined).on('close', () => (ended = true));
      stream.resume();
      world.clock.advance(15_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(ended).toBe(false);
      await end(world, cookie);
      world.clock.advance(15_000);
      await expect.poll(() => ended).toBe(true);
    }
  });

  it('words every failure as a problem without echoing what the caller sent', async () => {
    const { app, open } = setUp({
      'devices.show': async () => {
        throw new HoldfastError('request.not_found');
      },
      'devices.list': async () => {
        throw new Error('canary inside');
      },
    });
    const headers = { ...HEADERS, cookie: await open() };
    const cases = [
      [{ method: 'GET', url: '/api/v1/devices/canary-id' }, 404, 'request.not_found'],
      [{ method: 'GET', url: '/api/v1/devices' }, 500, 'kernel.internal'],
      [{ method: 'GET', url: '/api/v1/canary' }, 404, 'request.not_found'],
      [{ method: 'POST', url: '/api/v1/claims', payload: '{"product":"a","product":"b"}' }, 400, 'wire.duplicate'],
      [{ method: 'POST', url: '/api/v1/claims', payload: '{"canary":' }, 400, 'wire.malformed'],
      [{ method: 'POST', url: '/api/v1/claims', payload: '{}' }, 400, 'request.invalid'],
      [{ method: 'GET', url: '/api/v1/devices?limit=0' }, 400, 'request.invalid'],
    ] as const;
    for (const [call, status, code] of cases) {
      const answer = await app.inject({ ...call, headers });
      expect([call.url, answer.statusCode, answer.json().code]).toEqual([call.url, status, code]);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.body).not.toContain('canary');
    }
  });

  it('sends the page with a policy that runs nothing from elsewhere', async () => {
    const { app } = setUp();
    const answer = await app.inject({ url: '/devices/lamp-1', headers: HEADERS });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(answer.headers['content-security-policy']).not.toContain('unsafe');
  });
});

describe('an upload', () => {
  it('arrives byte for byte as it was sent', async () => {
    let received = 0;
    const { app, open } = setUp({
      'artifacts.upload': async ({ octets }: { octets: AsyncIterable<Uint8Array> }) => {
        for await (const chunk of octets) received += chunk.length;
        return { id: 'a', sha256: '0'.repeat(64), length: received };
      },
    });
    const headers = { host: HEADERS.host, cookie: await open(), 'content-type': 'application/octet-stream' };
    await app.inject({ method: 'POST', url: '/api/v1/artifacts', headers, payload: Buffer.alloc(3_000_000) });
    expect(received).toBe(3_000_000);
  });

  it('that is declared larger than a gigabyte is refused before it is read', async () => {
    const { app, open } = setUp();
    const headers = {
      host: HEADERS.host,
      cookie: await open(),
      'content-type': 'application/octet-stream',
      'content-length': String(2 ** 31),
    };
    const answer = await app.inject({ method: 'POST', url: '/api/v1/artifacts', headers, payload: 'x' });
    expect(answer.statusCode).toBe(413);
  });
});

describe('the socket in the data folder', () => {
  it('is for its owner alone and answers without a session', async () => {
    const { ports, sessions } = setUp();
    const socketPath = path.join(mkdtempSync(path.join(tmpdir(), 'holdfast-socket-')), 'holdfast.sock');
    const app = await listenOnSocket(ports, socketPath);
    const link = await new Promise<string>((resolve, reject) => {
      const outgoing = request({ socketPath, method: 'POST', path: '/api/v1/console/links' }, (incoming) => {
        let text = '';
        incoming.on('data', (chunk) => (text += chunk));
        incoming.on('end', () => resolve(text));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
    const mode = statSync(socketPath).mode & 0o777;
    await app.close();
    expect(mode).toBe(0o600);
    const [origin, token] = (JSON.parse(link) as { url: string }).url.split('/#');
    expect(origin).toBe(ORIGIN);
    expect(sessions.open(token ?? '')).toHaveLength(43);
  });
});
