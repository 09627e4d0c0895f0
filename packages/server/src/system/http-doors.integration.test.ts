import { request } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import path from 'node:path';
import { connect } from 'node:tls';
import { OPERATIONS, type Operation } from '@holdfast/api';
import { HoldfastError, systemClock, systemRandom } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataRoutes } from '../protocols/aws-iot/index.ts';
import { estRoutes } from '../protocols/est/index.ts';
import { artifactRoutes } from '../protocols/https/artifact-routes.ts';
import type { DeviceRoute } from '../protocols/https/device-route.ts';
import { publicRoutes } from '../protocols/https/public-routes.ts';
import { WEB_SOCKET_ROUTE } from '../protocols/https/web-socket-route.ts';
import type { Credential } from './testing/system.ts';
import { type ListenerName, TestSystem } from './testing/system.ts';

let system: TestSystem;
let lamp: Credential;
let cookie = '';

beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  lamp = await system.enroll('lamp-1');
  const token = new URL(system.server.mintConsoleLink().url).hash.slice(1);
  const answer = await system.https('POST', OPERATIONS['session.open'].path, {
    port: system.port('management'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  cookie = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
});
afterAll(() => system.close());

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'] as const;

interface Row {
  readonly method: string;
  readonly path: string;
}

const unreached = (): never => {
  throw new HoldfastError('kernel.internal');
};

/** The tables of the code itself; their handlers are never called here. */
const est = estRoutes({
  tenant: 'default',
  enrollment: { enrollDirect: unreached, renew: unreached, enrollWithServerKey: unreached },
  passwords: { check: unreached },
  products: { find: unreached, list: unreached },
  keySigner: unreached,
  random: { bytes: unreached },
  chainDer: unreached,
  base64: 'wrapped',
});
const isOpen = ({ audience }: DeviceRoute) => audience.includes('anyone');
const data = dataRoutes({
  clock: systemClock,
  random: systemRandom,
  jobs: unreached as never,
  shadows: unreached as never,
  broker: { publish: unreached, retained: unreached },
  onRefused: unreached,
});
const DEVICE_ROWS: readonly Row[] = [
  ...est,
  ...artifactRoutes({ access: unreached as never }),
  ...data,
  WEB_SOCKET_ROUTE,
];
const PUBLIC_ROWS: readonly Row[] = publicRoutes({
  crls: { find: unreached },
  certificates: { find: unreached },
  clock: systemClock,
});
const MANAGEMENT_ROWS: readonly Row[] = Object.values(OPERATIONS as Record<string, Operation>);

/** Status of a request over plain HTTP. */
function plain(method: string, target: string, where: { readonly port: number } | { readonly socketPath: string }) {
  return new Promise<number>((resolve, reject) => {
    const host = 'port' in where ? { host: '127.0.0.1' } : {};
    const outgoing = request(
      { ...host, ...where, method, path: target, headers: { host: 'localhost' } },
      (incoming) => {
        incoming.resume();
        incoming.on('end', () => resolve(incoming.statusCode ?? 0));
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

type Sender = (method: string, target: string) => Promise<number>;

const DOORS: Readonly<Record<string, { readonly rows: readonly Row[]; readonly send: Sender }>> = {
  'device HTTPS': {
    rows: DEVICE_ROWS,
    send: async (method, target) => (await system.https(method, target, { credential: lamp })).status,
  },
  'device HTTPS on the one port': {
    rows: DEVICE_ROWS,
    send: async (method, target) =>
      (await system.https(method, target, { port: system.port('mux'), credential: lamp })).status,
  },
  enrollment: {
    rows: est.filter(isOpen),
    send: async (method, target) => (await system.https(method, target, { port: system.port('enrollment') })).status,
  },
  public: { rows: PUBLIC_ROWS, send: (method, target) => plain(method, target, { port: system.port('public') }) },
  'management over HTTPS': {
    rows: MANAGEMENT_ROWS.filter(({ path: target }) => target !== OPERATIONS['console.link'].path),
    send: async (method, target) =>
      (await system.https(method, target, { port: system.port('management'), headers: { cookie } })).status,
  },
  'management over its socket': {
    rows: MANAGEMENT_ROWS.filter(({ path: target }) => target !== OPERATIONS['session.open'].path),
    send: (method, target) => plain(method, target, { socketPath: path.join(system.data, 'holdfast.sock') }),
  },
};

describe.each(Object.entries(DOORS))('the verbs of %s', (_, { rows, send }) => {
  const targets = [...new Set(rows.map(({ path: target }) => target))];
  const filled = (target: string) => target.replaceAll(/\{\w+\*?\}/g, 'x');
  const takes = (row: Row, target: string) => {
    const pattern = row.path.replaceAll(/[.$]/g, '\\$&').replaceAll(/\{\w+(\*?)\}/g, '[^/]+');
    return new RegExp(`^${pattern}$`).test(filled(target));
  };
  const isListed = (target: string, method: string) =>
    rows.some((row) => takes(row, target) && (row.method === method || (method === 'HEAD' && row.method === 'GET')));

  it('are those of its table and no others', async () => {
    const unlisted = targets.flatMap((target) =>
      METHODS.filter((method) => !isListed(target, method)).map((method) => [method, target] as const),
    );
    expect(unlisted.length).toBeGreaterThan(targets.length);
    for (const [method, target] of unlisted) {
      const status = await send(method, filled(target));
      expect([method, target, status === 404 || status === 405 ? 'refused' : status]).toEqual([
        method,
        target,
        'refused',
      ]);
    }
  });

  it('do not reach beside a row: a longer path, a shorter one, another case', async () => {
    for (const target of targets) {
      const base = filled(target);
      for (const beside of [`${base}/x/y/z`, base.slice(0, base.lastIndexOf('/')), base.toUpperCase(), `${base}%00`]) {
        if (targets.map(filled).includes(beside) || beside === base || beside === '') continue;
        const status = await send('DELETE', beside);
        expect([beside, status >= 400 && status < 500]).toEqual([beside, true]);
      }
    }
  });
});

const HTTP_DOORS: readonly ListenerName[] = ['https', 'mux', 'enrollment', 'public', 'management'];

function open(door: ListenerName): Socket {
  const port = system.port(door);
  const socket =
    door === 'public'
      ? createConnection({ host: '127.0.0.1', port })
      : connect({
          host: '127.0.0.1',
          port,
          servername: 'localhost',
          ca: system.ca,
          ...(door === 'https' || door === 'mux' ? { key: lamp.keyPem, cert: lamp.pem } : {}),
        });
  socket.on('error', () => undefined);
  return socket;
}

const TARGETS: Readonly<Record<string, string>> = { public: '/crl/x.crl', management: OPERATIONS['status.show'].path };

/** Everything a door says to these bytes until it closes, or is quiet for a moment. */
async function say(door: ListenerName, bytes: string): Promise<{ readonly said: string; readonly closed: boolean }> {
  const socket = open(door);
  let said = '';
  let closed = false;
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
  });
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => {
      closed = true;
      resolve();
    });
  });
  socket.write(bytes, 'latin1');
  const quiet = new Promise<void>((resolve) => {
    systemClock.after(QUIET_MS, resolve);
  });
  await Promise.race([ended, quiet]);
  socket.destroy();
  return { said, closed };
}

/** Long enough for two answers over loopback; a smuggled second answer would be there by then. */
const QUIET_MS = 250;

const get = (door: ListenerName, headers: string) =>
  `GET ${TARGETS[door] ?? '/.well-known/est/cacerts'} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** Messages two parsers could read differently (AC29). */
const SMUGGLING: readonly (readonly [string, (door: ListenerName) => string])[] = [
  [
    'a length and chunks',
    (door) => get(door, `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`) + `0\r\n\r\n${SMUGGLED}`,
  ],
  ['two lengths', (door) => get(door, 'Content-Length: 0\r\nContent-Length: 50\r\n') + SMUGGLED],
  ['a length list', (door) => get(door, 'Content-Length: 0, 50\r\n') + SMUGGLED],
  ['a signed length', (door) => get(door, 'Content-Length: +0\r\n') + SMUGGLED],
  ['a space before the colon', (door) => get(door, 'Transfer-Encoding : chunked\r\n') + `0\r\n\r\n${SMUGGLED}`],
  [
    'an unknown coding before chunks',
    (door) => get(door, 'Transfer-Encoding: x, chunked, y\r\n') + `0\r\n\r\n${SMUGGLED}`,
  ],
  [
    'a folded header',
    (door) => get(door, 'Transfer-Encoding:\r\n chunked\r\nX: y\r\n\tz\r\n') + `0\r\n\r\n${SMUGGLED}`,
  ],
  ['bare line feeds', (door) => get(door, 'X: y\nContent-Length: 50\n') + SMUGGLED],
  ['a chunk size that is no number', (door) => get(door, 'Transfer-Encoding: chunked\r\n') + `0x0\r\n\r\n${SMUGGLED}`],
  ['a NUL in a header', (door) => get(door, 'X: a\u0000b\r\n') + SMUGGLED],
  ['no host', () => `GET / HTTP/1.1\r\n\r\n${SMUGGLED}`],
  ['two hosts', (door) => get(door, 'Host: other\r\n') + SMUGGLED],
  ['an absolute target', () => `GET http://other/api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a target with dots', () => `GET /api/../api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['an encoded slash', () => `GET /artifacts/..%2f..%2fetc HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a tunnel', () => 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n'],
  ['an upgrade', (door) => get(door, 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n')],
  ['HTTP/2 in clear', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
];

describe.each(HTTP_DOORS)('%s', (door) => {
  it.each(SMUGGLING)('gives %s one reading', async (name, message) => {
    const { said } = await say(door, message(door));
    const answers = said.match(/^HTTP\/1\.1 \d{3}/gm) ?? [];
    expect([name, answers.length <= 1, said.includes('101')]).toEqual([name, true, false]);
    expect(said).not.toMatch(/^HTTP\/1\.1 5(?!05)/m);
  });

  it('refuses a flood of headers and goes on', async () => {
    const many = Array.from({ length: 2_000 }, (_, at) => `X-${at}: y\r\n`).join('');
    const long = `X: ${'y'.repeat(64 * 1024)}\r\n`;
    for (const headers of [many, long]) {
      const { said, closed } = await say(door, get(door, headers));
      // What is still unread when a socket is closed makes the answer get lost on its way.
      expect([said === '' || said.startsWith('HTTP/1.1 431'), closed]).toEqual([true, true]);
    }
    expect((await say(door, get(door, ''))).said).toMatch(/^HTTP\/1\.1 [234]/);
  });
});

it.concurrent('hangs up on whoever sends a header byte by byte, at every door', { timeout: 30_000 }, async () => {
  const begun = systemClock.monotonicMs();
  const lives = HTTP_DOORS.map(async (door) => {
    const socket = open(door);
    socket.resume();
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX: `);
    const drip = systemClock.every(500, () => socket.write('y'));
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    drip.cancel();
    return [door, systemClock.monotonicMs() - begun < 12_000] as const;
  });
  expect(await Promise.all(lives)).toEqual(HTTP_DOORS.map((door) => [door, true]));
});

it.concurrent('hangs up on whoever is silent in the middle of TLS, at every door', { timeout: 30_000 }, async () => {
  const begun = systemClock.monotonicMs();
  const doors = ['mqtt', 'https', 'mux', 'enrollment', 'management'] as const;
  const lives = doors.map(async (door) => {
    const socket = createConnection({ host: '127.0.0.1', port: system.port(door) });
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(Buffer.from('16030100f0', 'hex'));
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    return [door, systemClock.monotonicMs() - begun < 15_000] as const;
  });
  expect(await Promise.all(lives)).toEqual(doors.map((door) => [door, true]));
});
