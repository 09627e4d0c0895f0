import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type ConnectionOptions } from 'node:tls';
import { type Clock, silentLog, systemClock } from '@holdfast/kernel';
import { CompiledPolicy, DEVICE_POLICY, Rights, type RightsLevel } from '@holdfast/trust/communication';
import {
  AuditTrail,
  auditHandshakes,
  PeerAdmission,
  PresenceBoard,
  SessionTable,
  type TlsChoices,
} from '../../gateway/index.ts';
import { type Issued, TestAuthority } from '../../../testing/test-authority.ts';
import { TestAudit, TestRegistry } from '../../../testing/test-registry.ts';
import { DeviceHttp, type DeviceHttpPorts } from '../device-http.ts';
import { DeviceListener } from '../device-listener.ts';
import type { DeviceRoute } from '../device-route.ts';

export const SECRET = new Uint8Array(32).fill(7);
const CHUNK = new Uint8Array(65_536);
const AUDIENCE = ['device'] as const;
const SILENCE_MS = 1_000;

export const ours = new TestAuthority('Holdfast Root');
export const server = ours.issue({ profile: 'server', name: 'localhost' });
export const lamp = ours.issue({ profile: 'device-ldevid', name: 'lamp-1' });
export const claim = ours.issue({ profile: 'claim', name: 'claim-1' });

export const GET = 'GET /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function* endless(): AsyncIterable<Uint8Array> {
  for (;;) yield CHUNK;
}

/** One row of each sort. */
export const ROUTES: readonly DeviceRoute[] = [
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

/** A device listener on a free port, over a registry and an audit log in memory. */
export class ListenerWorld {
  readonly registry = new TestRegistry();
  readonly sessions = new SessionTable(systemClock);
  readonly audit = new TestAudit();
  readonly presence = new PresenceBoard();
  readonly listener: DeviceListener;
  level: RightsLevel = 'full';
  /** Reads the rights of whoever asks. */
  readRights = (): Promise<Rights> => Promise.resolve(rightsAt(this.level));
  port = 0;

  /** @param clock - by which rights grow old */
  constructor(
    tls: Partial<TlsChoices> = {},
    identityRate?: DeviceHttpPorts['identityRate'],
    clock: Clock = systemClock,
  ) {
    const { audit, presence, registry, sessions } = this;
    const trail = new AuditTrail({ store: audit, audit, clock: systemClock, log: silentLog });
    let ids = 0;
    registry.addDevice('lamp-1', lamp);
    registry.addClaim('claim-1', claim);
    this.listener = new DeviceListener({
      host: '127.0.0.1',
      port: 0,
      material: { keyPem: server.keyPem, chainPem: server.pem },
      clientCas: [ours.root.pem],
      ticketSecret: SECRET,
      ticketEpoch: 0,
      limits: { clientHelloMs: 300, handshakeMs: 500 },
      tls,
      http: new DeviceHttp({
        routes: ROUTES,
        admission: new PeerAdmission({ identifier: registry, sessions, trail, clock: systemClock }),
        authority: { rightsOf: () => this.readRights() },
        presence,
        ...(identityRate === undefined ? {} : { identityRate }),
        nextConnectionId: () => `connection-${ids++}`,
        clock,
        log: silentLog,
      }),
      onRefused: auditHandshakes(trail, 'device-https'),
      clock: systemClock,
      log: silentLog,
    });
  }

  async start(): Promise<void> {
    this.port = await this.listener.listen();
  }

  async close(): Promise<void> {
    this.sessions.close();
    await this.listener.close();
  }

  credentials(client: Issued | undefined, options: ConnectionOptions = {}): ConnectionOptions {
    const own = client === undefined ? {} : { key: client.keyPem, cert: client.pem };
    return { host: '127.0.0.1', port: this.port, servername: 'localhost', ca: ours.root.pem, ...own, ...options };
  }

  /** One request over a connection of its own; rejects when the connection is refused or reset. */
  async ask(method: string, path: string, options: AskOptions = this.credentials(lamp)): Promise<Answer> {
    const { body, headers, ...tls } = options;
    const request = httpsRequest({ ...tls, method, path, headers, agent: false } as object);
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, body: Buffer.concat(chunks).toString(), headers: response.headers };
  }
}

type AskOptions = ConnectionOptions & { readonly body?: string | Buffer; readonly headers?: Record<string, string> };

export interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

function rightsAt(level: RightsLevel): Rights {
  const context = {
    clientId: undefined,
    sourceIp: '127.0.0.1',
    thing: undefined,
    certificate: undefined,
    posture: undefined,
    firmwareVersion: undefined,
    securityCounter: undefined,
  };
  return new Rights(level, new CompiledPolicy([DEVICE_POLICY], undefined, context), systemClock);
}

/** Unlike `once`, does not mind how a socket closes. */
export function closing(socket: { once(event: 'close', listener: () => void): unknown }): Promise<true> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve(true));
  });
}

/** Connects and waits, a second at most, for an answer or the end: what the server said, and whether it closed. */
export async function probe(options: ConnectionOptions, say = ''): Promise<{ said: string; closed: boolean }> {
  const socket = connect(options);
  let said = '';
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => socket.write(say));
  const answered = new Promise<boolean>((resolve) => {
    socket.on('data', (chunk) => {
      said += chunk.toString();
      resolve(false);
    });
    systemClock.after(SILENCE_MS, () => resolve(false));
  });
  const closed = await Promise.race([closing(socket), answered]);
  socket.destroy();
  return { said, closed };
}
