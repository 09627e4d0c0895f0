import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { silentLog, systemClock } from '@holdfast/kernel';
import { CompiledPolicy, DEVICE_POLICY, Rights, type RightsLevel } from '@holdfast/trust/communication';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditTrail, PeerAdmission, PresenceBoard, SessionTable } from '../gateway/index.ts';
import { type Issued, TestAuthority } from '../gateway/testing/test-authority.ts';
import { TestAudit, TestRegistry } from '../gateway/testing/test-registry.ts';
import { DeviceListener } from './device-listener.ts';
import type { DeviceRoute } from './device-route.ts';

const SECRET = new Uint8Array(32).fill(7);
const CHUNK = new Uint8Array(65_536);
const AUDIENCE = ['device'] as const;

const ours = new TestAuthority('Holdfast Root');
const server = ours.issue({ profile: 'server', name: 'localhost' });
const lamp = ours.issue({ profile: 'device-ldevid', name: 'lamp-1' });

let level: RightsLevel;
let registry: TestRegistry;
let sessions: SessionTable;
let audit: TestAudit;
let presence: PresenceBoard;
let listener: DeviceListener;
let port: number;

async function* endless(): AsyncIterable<Uint8Array> {
  for (;;) yield CHUNK;
}

const routes: DeviceRoute[] = [
  {
    method: 'GET',
    path: '/hello/{name}',
    audience: AUDIENCE,
    maxBodyBytes: 0,
    handle: (request) =>
      Promise.resolve({
        status: 200,
        headers: { 'content-type': 'text/plain' },
        body: `${request.principal?.kind} ${request.params['name']} ${request.channelBinding()?.kind}`,
      }),
  },
  {
    method: 'POST',
    path: '/echo',
    audience: AUDIENCE,
    maxBodyBytes: 1_000,
    whileRestricted: 'refused',
    handle: (request) => Promise.resolve({ status: 200, body: request.body }),
  },
  {
    method: 'GET',
    path: '/endless',
    audience: AUDIENCE,
    maxBodyBytes: 0,
    handle: () => Promise.resolve({ status: 200, body: endless() }),
  },
  {
    method: 'GET',
    path: '/claim-only',
    audience: ['claim'],
    maxBodyBytes: 0,
    handle: () => Promise.resolve({ status: 200 }),
  },
];

beforeEach(async () => {
  level = 'full';
  registry = new TestRegistry();
  registry.addDevice('lamp-1', lamp);
  sessions = new SessionTable(systemClock);
  audit = new TestAudit();
  presence = new PresenceBoard();
  const trail = new AuditTrail({ store: audit, audit, clock: systemClock, log: silentLog });
  let ids = 0;
  listener = new DeviceListener({
    host: '127.0.0.1',
    port: 0,
    material: { keyPem: server.keyPem, chainPem: server.pem },
    clientCas: [ours.root.pem],
    ticketSecret: SECRET,
    ticketEpoch: 0,
    limits: { clientHelloMs: 300, handshakeMs: 500 },
    routes,
    admission: new PeerAdmission({ identifier: registry, sessions, trail, clock: systemClock }),
    authority: {
      rightsOf: () => {
        const context = {
          clientId: undefined,
          sourceIp: '127.0.0.1',
          thing: undefined,
          certificate: undefined,
          posture: undefined,
          firmwareVersion: undefined,
          securityCounter: undefined,
        };
        return Promise.resolve(new Rights(level, new CompiledPolicy([DEVICE_POLICY], undefined, context), systemClock));
      },
    },
    presence,
    onRefused: ({ remoteAddress, untrusted }) =>
      trail.record(remoteAddress, {
        tenant: 'default',
        actor: 'system',
        action: untrusted === undefined ? 'auth.failed' : 'auth.untrusted_ca',
        subject: remoteAddress,
        details: { reason: untrusted ?? null },
      }),
    nextConnectionId: () => `connection-${ids++}`,
    clock: systemClock,
    log: silentLog,
  });
  port = await listener.listen();
});

afterEach(async () => {
  sessions.close();
  await listener.close();
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

function credentials(client: Issued | undefined, options: ConnectionOptions = {}): ConnectionOptions {
  const own = client === undefined ? {} : { key: client.keyPem, cert: client.pem };
  return { host: '127.0.0.1', port, servername: 'localhost', ca: ours.root.pem, ...own, ...options };
}

/** One request over a connection of its own; rejects when the connection is refused or reset. */
async function ask(
  method: string,
  path: string,
  options: ConnectionOptions & {
    readonly body?: string | Buffer;
    readonly headers?: Record<string, string>;
  } = credentials(lamp),
): Promise<Answer> {
  const { body, headers, ...tls } = options;
  const request = httpsRequest({ ...tls, method, path, headers, agent: false } as object);
  request.end(body);
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode: number; headers: {} }];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, body: Buffer.concat(chunks).toString(), headers: { ...response.headers } };
}

/** Unlike `once`, does not mind how a socket closes. */
function closing(socket: { once(event: 'close', listener: () => void): unknown }): Promise<true> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve(true));
  });
}

/** Connects and reports how it ended within a second: bytes the server said, and whether it closed. */
async function probe(options: ConnectionOptions, say = ''): Promise<{ said: string; closed: boolean }> {
  const socket = connect(options);
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => socket.write(say));
  const closed = await Promise.race([
    closing(socket),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1_000)),
  ]);
  socket.destroy();
  return { said, closed };
}

const GET = 'GET /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the device listener', () => {
  it('serves a device with its certificate over TLS 1.3 and 1.2', async () => {
    expect(await ask('GET', '/hello/there')).toMatchObject({ status: 200, body: 'device there tls-exporter' });
    const old = credentials(lamp, { maxVersion: 'TLSv1.2' });
    expect(await ask('GET', '/hello/there', old)).toMatchObject({ status: 200, body: 'device there tls-unique' });
  });

  it('shows a device as present while it is connected', async () => {
    const socket = connect(credentials(lamp));
    socket.write(GET);
    await once(socket, 'data');
    expect(presence.of('default', 'lamp-1')).toMatchObject([{ protocol: 'https', remoteAddress: '127.0.0.1' }]);
    socket.destroy();
    await expect.poll(() => presence.of('default', 'lamp-1')).toEqual([]);
  });

  it.each([
    ['GET', '/nowhere', 404],
    ['GET', '/hello', 404],
    ['DELETE', '/hello/x', 405],
    ['HEAD', '/hello/x', 405],
    ['GET', '/claim-only', 403],
    ['GET', '/hello/%2e%2e', 400],
    ['GET', '/hello/a%2fb', 400],
    ['GET', '/hello/a%00b', 400],
    ['GET', '//hello/x', 400],
    ['GET', '/hello/x/../x', 400],
    ['GET', '/hello/%zz', 400],
    ['GET', '/hello/a%5Cb', 400],
  ])('answers %s %s with %i', async (method, path, status) => {
    expect((await ask(method, path)).status).toBe(status);
  });

  it('words a refusal as a problem and lists the methods of a path', async () => {
    const answer = await ask('DELETE', '/hello/x');
    expect(answer.headers).toMatchObject({ allow: 'GET', 'content-type': 'application/problem+json' });
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'communication.no_such_verb', status: 405 });
  });

  it('refuses a body that is longer than its row takes, declared or not', async () => {
    const long = Buffer.alloc(1_001);
    expect((await ask('POST', '/echo', { ...credentials(lamp), body: long })).status).toBe(413);
    const chunked = { ...credentials(lamp), body: long, headers: { 'transfer-encoding': 'chunked' } };
    expect((await ask('POST', '/echo', chunked)).status).toBe(413);
    expect((await ask('POST', '/echo', { ...credentials(lamp), body: Buffer.alloc(1_000) })).status).toBe(200);
  });

  it('refuses what two parsers could read differently', async () => {
    const smuggled =
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    expect((await probe(credentials(lamp), smuggled)).said).toMatch(/^HTTP\/1\.1 400/);
    const header = `GET /hello/x HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`;
    const { said, closed } = await probe(credentials(lamp), header);
    expect(closed).toBe(true);
    expect(said).not.toContain('200');
  });

  it('keeps from a restricted device what its row says, and everything from one without rights', async () => {
    level = 'restricted';
    expect((await ask('GET', '/hello/x')).status).toBe(200);
    expect((await ask('POST', '/echo')).status).toBe(403);
    level = 'none';
    expect((await ask('GET', '/hello/x')).status).toBe(403);
  });

  it('ends a download in the middle when its device is cut', async () => {
    const request = httpsRequest({ ...credentials(lamp), path: '/endless', agent: false } as object);
    request.end();
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    let received = 0;
    const ended = new Promise<string>((resolve) => {
      response.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received > 1_000_000 && sessions.size > 0) {
          sessions.cut({ kind: 'device', tenant: 'default', deviceId: 'lamp-1' }, 'device-revoked');
        }
      });
      response.once('error', () => resolve('reset'));
      response.once('end', () => resolve('end'));
    });
    expect(await ended).toBe('reset');
    expect(sessions.size).toBe(0);
  });

  it('ends a download in the middle when the committed status changes without an event', async () => {
    const request = httpsRequest({ ...credentials(lamp), path: '/endless', agent: false } as object);
    request.end();
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    const ended = new Promise<string>((resolve) => {
      response.once('data', () => registry.refuse(lamp, 'identity.device_revoked'));
      response.on('data', () => undefined);
      response.once('error', () => resolve('reset'));
      response.once('end', () => resolve('end'));
    });
    expect(await ended).toBe('reset');
  });

  it('asks for the status at every request of a connection', async () => {
    const socket = connect(credentials(lamp));
    socket.write(GET);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200/);
    registry.refuse(lamp, 'identity.certificate_revoked');
    const closed = closing(socket);
    socket.on('error', () => undefined);
    socket.write(GET);
    await closed;
    expect(sessions.size).toBe(0);
  });
});

describe('TLS on the device listener', () => {
  const foreign = new TestAuthority('Holdfast Root');
  const served = { said: expect.stringMatching(/^HTTP\/1\.1 200/) };
  const refused = { said: '', closed: true };

  it.each<readonly [string, () => Issued | undefined, string]>([
    [
      'of another CA with the same names (AC01)',
      () => foreign.issue({ profile: 'device-ldevid', name: 'lamp-1' }),
      'auth.untrusted_ca',
    ],
    ['that signed itself (AC02)', () => new TestAuthority('lamp-1').root, 'auth.untrusted_ca'],
    [
      'that a device certificate issued (AC02)',
      () => TestAuthority.under('lamp-1', lamp).issue({ profile: 'device-ldevid', name: 'lamp-2' }),
      'auth.untrusted_ca',
    ],
    ['that is missing (AC21)', () => undefined, 'auth.failed'],
    [
      'that has expired (AC08)',
      () => ours.issue({ profile: 'device-ldevid', name: 'lamp-1', notAfter: Date.now() - 1_000 }),
      'auth.untrusted_ca',
    ],
    [
      'that is not valid yet (AC08)',
      () => ours.issue({ profile: 'device-ldevid', name: 'lamp-1', notBefore: Date.now() + 60_000 }),
      'auth.untrusted_ca',
    ],
    ['that is for servers', () => server, 'auth.untrusted_ca'],
  ])('refuses a certificate %s before a byte of HTTP is answered', async (_, client, action) => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await probe(credentials(client(), { maxVersion }), GET)).toEqual(refused);
    }
    await expect.poll(() => audit.facts.map((fact) => fact.action)).toContain(action);
  });

  it('refuses a certificate without its key (AC07)', () => {
    const other = ours.issue({ profile: 'device-ldevid', name: 'x' });
    expect(() => connect(credentials({ ...lamp, keyPem: other.keyPem }))).toThrowError(/key values mismatch/);
  });

  it('refuses a revoked certificate and says so in the audit log (AC03)', async () => {
    registry.refuse(lamp, 'identity.certificate_revoked');
    const answer = await ask('GET', '/hello/x');
    expect(answer.status).toBe(403);
    await expect
      .poll(() => audit.facts)
      .toMatchObject([{ action: 'connect.refused', details: { code: 'identity.certificate_revoked' } }]);
  });

  const resumable = async (maxVersion: 'TLSv1.2' | 'TLSv1.3', client: Issued): Promise<Buffer> => {
    const socket = connect(credentials(client, { maxVersion }));
    let session: Buffer | undefined;
    socket.on('session', (value) => {
      session = value;
    });
    socket.write(GET);
    await once(socket, 'data');
    await expect.poll(() => session).toBeDefined();
    socket.destroy();
    return session ?? Buffer.alloc(0);
  };
  const resumed = async (options: ConnectionOptions): Promise<{ reused: boolean; said: string }> => {
    const socket: TLSSocket = connect(options);
    let said = '';
    let reused = false;
    socket.on('data', (chunk) => {
      said += chunk.toString();
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused();
      socket.write(GET);
    });
    await closing(socket);
    return { reused, said };
  };

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('resuming %s', (maxVersion) => {
    it('serves a device whose certificate is still good', async () => {
      const session = await resumable(maxVersion, lamp);
      expect(await resumed(credentials(lamp, { maxVersion, session }))).toMatchObject({ reused: true, ...served });
    });

    it('refuses a device revoked since, with or without showing its certificate (AC04)', async () => {
      const session = await resumable(maxVersion, lamp);
      registry.refuse(lamp, 'identity.device_revoked');
      for (const client of [lamp, undefined]) {
        const { reused, said } = await resumed(credentials(client, { maxVersion, session }));
        expect(reused).toBe(true);
        expect(said).toMatch(/^HTTP\/1\.1 403/);
      }
    });

    it('falls back to a full handshake once the ticket epoch rose', async () => {
      const session = await resumable(maxVersion, lamp);
      listener.door.raiseTicketEpoch(1);
      expect(await resumed(credentials(lamp, { maxVersion, session }))).toMatchObject({ reused: false, ...served });
    });
  });

  it('refuses to resume with a certificate that expired since (sheet 2.7)', async () => {
    const brief = ours.issue({ profile: 'device-ldevid', name: 'brief', notAfter: Date.now() + 1_500 });
    registry.addDevice('brief', brief);
    const versions = ['TLSv1.2', 'TLSv1.3'] as const;
    const tickets = await Promise.all(versions.map((version) => resumable(version, brief)));
    await new Promise((resolve) => setTimeout(resolve, brief.notAfter - Date.now() + 10));
    for (const [index, maxVersion] of versions.entries()) {
      const session = tickets[index] ?? Buffer.alloc(0);
      const { reused, said } = await resumed(credentials(brief, { maxVersion, session }));
      expect(reused).toBe(true);
      expect(said).toMatch(/^HTTP\/1\.1 403/);
    }
  });

  it('closes a connection when its certificate expires while it is open', async () => {
    const brief = ours.issue({ profile: 'device-ldevid', name: 'brief', notAfter: Date.now() + 1_100 });
    registry.addDevice('brief', brief);
    const socket = connect(credentials(brief));
    socket.on('error', () => undefined);
    socket.write(GET);
    await once(socket, 'data');
    await closing(socket);
    expect(Date.now() - brief.notAfter).toBeGreaterThan(-1_000);
  });

  it('offers TLS 1.2 and 1.3 with AEAD suites and forward secrecy only (AC20)', async () => {
    const weak: ConnectionOptions[] = [
      { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:@SECLEVEL=0' },
    ];
    for (const options of weak) expect(await probe(credentials(lamp, options), GET)).toEqual(refused);
    const small = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', ecdhCurve: 'P-256' } as const;
    expect(await probe(credentials(lamp, { ...small, ecdhCurve: 'P-256' }), GET)).toMatchObject(served);
    expect(await probe(credentials(lamp, { ecdhCurve: 'X25519MLKEM768' }), GET)).toMatchObject(served);
  });

  it('refuses renegotiation', async () => {
    const socket = connect(credentials(lamp, { maxVersion: 'TLSv1.2' }));
    await once(socket, 'secureConnect');
    const outcome = await new Promise<Error | null>((resolve) => {
      socket.on('error', resolve);
      socket.renegotiate({}, resolve);
    });
    expect(outcome).toBeInstanceOf(Error);
    socket.destroy();
  });

  it('takes known application protocols and none, and no others', async () => {
    expect(await probe(credentials(lamp, { ALPNProtocols: ['h2', 'http/1.1'] }), GET)).toMatchObject(served);
    expect(await probe(credentials(lamp, { ALPNProtocols: ['x-amzn-http-ca'] }), GET)).toMatchObject(served);
    expect(await probe(credentials(lamp), GET)).toMatchObject(served);
    expect(await probe(credentials(lamp, { ALPNProtocols: ['h2'] }), GET)).toEqual(refused);
  });

  it('shows a new certificate after a swap, to new connections and without dropping the old ones', async () => {
    const open = connect(credentials(lamp));
    await once(open, 'secureConnect');
    const fresh = ours.issue({ profile: 'server', name: 'localhost' });
    const session = await resumable('TLSv1.3', lamp);
    listener.door.replace({ keyPem: fresh.keyPem, chainPem: fresh.pem });
    const socket = connect(credentials(lamp));
    await once(socket, 'secureConnect');
    expect(Buffer.from(fresh.der).equals(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0))).toBe(true);
    socket.destroy();
    expect(await resumed(credentials(lamp, { session }))).toMatchObject({ reused: true, ...served });
    open.write(GET);
    expect(String((await once(open, 'data'))[0])).toMatch(/^HTTP\/1\.1 200/);
    open.destroy();
  });

  it('drops plaintext, silence and drip before they cost a handshake', async () => {
    const say = async (write: (socket: ReturnType<typeof connectTcp>) => void): Promise<number> => {
      const started = performance.now();
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      write(socket);
      await closing(socket);
      return performance.now() - started;
    };
    const waits = await Promise.all([
      say((socket) => socket.write(GET)),
      say(() => undefined),
      say((socket) => socket.write(Buffer.from([22, 3, 1, 2, 0]))),
      say((socket) => socket.write(Buffer.from([22, 3, 1, 255, 255]))),
    ]);
    expect(Math.max(...waits)).toBeLessThan(5_000);
    expect(listener.door.counters).toMatchObject({ inFlight: 0, waiting: 0 });
    expect((await ask('GET', '/hello/x')).status).toBe(200);
  });
});
