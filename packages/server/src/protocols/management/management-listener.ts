import { chmodSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { EVENTS_PATH, type OperationName, OPERATIONS, OpenSession } from '@holdfast/api';
import { type Clock, formatRfc3339, HoldfastError, type Log } from '@holdfast/kernel';
import type { Operators } from '@holdfast/trust/identity';
import type { Fingerprint, Tenant } from '@holdfast/trust/ports';
import type { OperatorPrincipal } from '@holdfast/trust/principal';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { type Asset, addConsoleRoutes } from './console-assets.ts';
import { type ConsoleSessions } from './console-sessions.ts';
import { type LiveFeed, streamEvents } from './event-stream.ts';
import type { ManagementContext, ManagementHandlers } from './handler-types.ts';
import { toProblem } from './problem.ts';
import { checkRole, OperatorConnections, shownCertificate } from './operator-door.ts';
import { type Authenticate, addManagementRoutes } from './routes.ts';

const COOKIE = '__Host-holdfast';
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export interface ManagementPorts {
  readonly tenant: Tenant;
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: ManagementHandlers;
  readonly sessions: ConsoleSessions;
  readonly feed: LiveFeed;
  readonly assets: readonly Asset[];
  /** Those who manage by certificate. */
  readonly operators: Pick<Operators, 'authenticate'>;
  /** Told of whoever asked for more than their role allows. */
  readonly onForbidden: (principal: OperatorPrincipal, operation: OperationName) => void;
  /** `https://host:port` of the console, for links. */
  readonly consoleOrigin: () => string;
}

export interface TlsMaterial {
  /** PEM: the server's certificate and its issuers. */
  readonly cert: string;
  readonly key: string;
  /** PEM of the authorities that sign operators. */
  readonly ca: readonly string[];
}

export interface ManagementListener {
  readonly app: FastifyInstance;
  /** Takes new certificate and key for connections from now on. */
  replaceCertificate(material: TlsMaterial): void;
  /** Ends the connections of a revoked operator's certificate. */
  cut(fingerprint: Fingerprint): void;
  /** @returns the port in use. @throws `server.port_taken` */
  listen(where: { readonly host: string; readonly port: number }): Promise<number>;
}

/** The HTTPS listener of console and API: an operator's certificate decides, or else a session cookie. */
export function createManagementListener(ports: ManagementPorts, tls: TlsMaterial): ManagementListener {
  const app = fastify({
    https: { ...tlsOf(tls), ...HTTP_LIMITS, handshakeTimeout: HANDSHAKE_MS },
    ...SERVER_LIMITS,
  });
  endSocketsOnClose(app);
  const connections = new OperatorConnections(app);
  addManagement(app, ports, authenticateRemote(ports));
  addSessionRoutes(app, ports);
  addConsoleRoutes(app, ports.assets);
  return {
    app: app,
    listen: (where) => listenOnPort(app, where),
    replaceCertificate: (material) => app.server.setSecureContext(tlsOf(material)),
    cut: (fingerprint) => connections.cut(fingerprint),
  };
}

/** A browser has no certificate, so it is asked for and not demanded; one that is shown is judged on every request. */
function tlsOf({ cert, key, ca }: TlsMaterial): TlsOptions {
  return { cert, key, ca: [...ca], requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' };
}

async function listenOnPort(
  app: FastifyInstance,
  where: { readonly host: string; readonly port: number },
): Promise<number> {
  try {
    await app.listen(where);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw cause;
    throw new HoldfastError('server.port_taken', where, { cause });
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : where.port;
}

/** The Unix socket in the data folder: its file mode decides; whoever may open it is the operator of this machine. */
export async function listenOnSocket(ports: ManagementPorts, path: string): Promise<FastifyInstance> {
  const app = fastify({ http: HTTP_LIMITS, ...SERVER_LIMITS });
  endSocketsOnClose(app);
  addManagement(app, ports, () => contextOf(ports, 'local', 'socket'));
  app.post(OPERATIONS['console.link'].path, async () => {
    const { token, expiresAt } = ports.sessions.mintLink();
    return { url: `${ports.consoleOrigin()}/#${token}`, expiresAt: formatRfc3339(expiresAt) };
  });
  rmSync(path, { force: true }); // The folder lock is held, so a file here is the rest of a killed process.
  const mask = process.umask(0o177);
  try {
    await app.listen({ path });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
  return app;
}

const HANDSHAKE_MS = 10_000;

/** A header that comes byte by byte costs a connection no longer than this; bodies have their own time. */
const HTTP_LIMITS = { headersTimeout: 5_000, connectionsCheckingInterval: 1_000 } as const;

const SERVER_LIMITS = {
  logger: false,
  requestTimeout: 600_000,
  connectionTimeout: 0,
  keepAliveTimeout: 72_000,
  routerOptions: { maxParamLength: 256 },
  forceCloseConnections: true,
} as const;

/** Node closes the connections it has seen HTTP on; one that is still in its handshake would keep the server open. */
function endSocketsOnClose(app: FastifyInstance): void {
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.addHook('preClose', async () => {
    for (const socket of sockets) socket.destroy();
  });
}

function addManagement(app: FastifyInstance, ports: ManagementPorts, authenticate: Authenticate): void {
  app.setErrorHandler((error, _request, reply) => {
    const problem = toProblem(codedRequestError(error), ports.log);
    void reply.status(problem.status).type('application/problem+json').send(problem);
  });
  app.setNotFoundHandler((_request, reply) => {
    const problem = toProblem(new HoldfastError('request.not_found'), ports.log);
    void reply.status(problem.status).type('application/problem+json').send(problem);
  });
  const admit = (name: OperationName, { principal, role }: ManagementContext) => {
    try {
      checkRole(name, role);
    } catch (error) {
      ports.onForbidden(principal, name);
      throw error;
    }
  };
  addManagementRoutes(app, { handlers: ports.handlers, authenticate, admit });
  app.get(EVENTS_PATH, async (request, reply) => {
    const context = await authenticate(request, OPERATIONS['status.show']);
    admit('status.show', context);
    const { principal } = context;
    const mayGoOn = () => principal.via !== 'console' || ports.sessions.isLive(cookieOf(request) ?? '');
    await streamEvents(request, reply, { feed: ports.feed, clock: ports.clock, mayGoOn });
  });
}

/** fastify's own refusals (a body too long, a media type it does not take) as rows of our table. */
function codedRequestError(error: unknown): unknown {
  if (HoldfastError.is(error) || !(error instanceof Error) || !('statusCode' in error)) return error;
  if (error.statusCode === 413) return new HoldfastError('request.too_large', {}, { cause: error });
  if (Number(error.statusCode) < 500) return new HoldfastError('request.invalid', {}, { cause: error });
  return error;
}

function contextOf(ports: ManagementPorts, name: string, via: 'socket' | 'console'): ManagementContext {
  return { principal: { kind: 'operator', tenant: ports.tenant, name, via }, role: 'security' };
}

function authenticateRemote(ports: ManagementPorts): Authenticate {
  const byCookie = authenticateConsole(ports);
  return (request, operation) => {
    const fingerprint = shownCertificate(request);
    if (fingerprint === undefined) return byCookie(request, operation);
    // A browser with a certificate shows it to every page that asks.
    refuseForeignOrigin(request);
    return ports.operators.authenticate(fingerprint, ports.clock.now());
  };
}

function authenticateConsole(ports: ManagementPorts): Authenticate {
  return (request, operation) => {
    const secret = cookieOf(request);
    if (secret === undefined || !ports.sessions.touch(secret)) throw new HoldfastError('request.unauthenticated');
    if (operation.reach === 'local') throw new HoldfastError('request.forbidden');
    refuseForeignOrigin(request);
    return contextOf(ports, 'console', 'console');
  };
}

/** Stops cross-site request forgery beside SameSite: a browser tells where a request comes from. */
function refuseForeignOrigin(request: FastifyRequest): void {
  if (SAFE_METHODS.has(request.method)) return;
  const site = request.headers['sec-fetch-site'];
  const origin = request.headers.origin;
  const foreign =
    (site !== undefined && site !== 'same-origin') ||
    (origin !== undefined && origin !== `https://${request.headers.host ?? ''}`);
  if (foreign) throw new HoldfastError('request.forbidden');
}

function addSessionRoutes(app: FastifyInstance, ports: ManagementPorts): void {
  const { path } = OPERATIONS['session.open'];
  app.post(path, async (request, reply) => {
    refuseForeignOrigin(request);
    const body = OpenSession.safeParse(request.body);
    if (!body.success) throw new HoldfastError('request.invalid', { part: 'body' });
    const secret = ports.sessions.open(body.data.token);
    return reply.header('set-cookie', `${COOKIE}=${secret}; Path=/; Secure; HttpOnly; SameSite=Strict`).send({});
  });
  app.delete(path, async (request, reply) => {
    refuseForeignOrigin(request);
    const secret = cookieOf(request);
    if (secret !== undefined) ports.sessions.close(secret);
    return reply.header('set-cookie', `${COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`).send({});
  });
}

function cookieOf(request: FastifyRequest): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === COOKIE && value !== undefined && value !== '') return value;
  }
  return undefined;
}
