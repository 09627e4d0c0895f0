import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type Server as TlsServer, type TlsOptions, TLSSocket } from 'node:tls';
import { type Clock, type Log, toHoldfastError } from '@holdfast/kernel';
import type { PolicyAuthority, Rights } from '@holdfast/trust/communication';
import {
  type Admission,
  type AdmissionLimits,
  type PeerAdmission,
  peerFingerprint,
  type PresenceBoard,
  type RefusedHandshake,
  type ServerMaterial,
  type Session,
  TlsDoor,
} from '../gateway/index.ts';
import type { DeviceRoute } from './device-route.ts';
import { HTTP_SETTINGS, MAX_HEADERS } from './http-settings.ts';
import { type Caller, handleRequest } from './request-handler.ts';
import { RouteTable } from './route-table.ts';

export interface DeviceListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly material: ServerMaterial;
  readonly clientCas: readonly string[];
  readonly ticketSecret: Uint8Array;
  readonly ticketEpoch: number;
  readonly limits?: Partial<AdmissionLimits>;
  readonly routes: readonly DeviceRoute[];
  readonly admission: PeerAdmission;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
  readonly presence: PresenceBoard;
  readonly onRefused: (refusal: RefusedHandshake) => void;
  /** Unique for each connection of the process' life. */
  readonly nextConnectionId: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Held {
  readonly session: Session;
  readonly admission: Promise<Admission>;
  rights: Promise<Rights> | undefined;
}

/** Device HTTPS: every connection proves a certificate, every request is judged by its status as committed. */
export class DeviceListener {
  readonly #options: DeviceListenerOptions;
  readonly #door: TlsDoor;
  readonly #held = new WeakMap<TLSSocket, Held>();

  constructor(options: DeviceListenerOptions) {
    this.#options = options;
    this.#door = new TlsDoor({
      name: 'device-https',
      host: options.host,
      port: options.port,
      material: options.material,
      clientCas: options.clientCas,
      alpn: ['http/1.1', 'x-amzn-http-ca'],
      ticketSecret: options.ticketSecret,
      ticketEpoch: options.ticketEpoch,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      makeServer: (tls) => this.#makeServer(tls),
      onRefused: options.onRefused,
      clock: options.clock,
      log: options.log,
    });
  }

  get door(): TlsDoor {
    return this.#door;
  }

  /** @returns the port in use. */
  listen(): Promise<number> {
    return this.#door.listen();
  }

  close(): Promise<void> {
    return this.#door.close();
  }

  #makeServer(tls: TlsOptions): TlsServer {
    const { clock, log } = this.#options;
    const routes = new RouteTable(this.#options.routes);
    const callerOf = (request: IncomingMessage) => this.#callerOf(request);
    const server = createHttpsServer({ ...tls, ...HTTP_SETTINGS }, (request, response) => {
      void handleRequest({ routes, callerOf, clock, log }, request, response);
    });
    server.maxHeadersCount = MAX_HEADERS;
    server.prependListener('secureConnection', (socket: TLSSocket) => this.#connected(socket));
    return server;
  }

  #connected(socket: TLSSocket): void {
    this.#door.shaken(socket);
    const fingerprint = peerFingerprint(socket);
    if (fingerprint === undefined) {
      socket.destroy();
      return;
    }
    const { admission, presence } = this.#options;
    const opened = admission.open({
      id: this.#options.nextConnectionId(),
      protocol: 'https',
      fingerprint,
      remoteAddress: socket.remoteAddress ?? '',
      end: () => socket.destroy(),
    });
    const { session } = opened;
    const held: Held = { ...opened, rights: undefined };
    this.#held.set(socket, held);
    session.refresh = () => {
      held.rights = undefined;
    };
    void this.#present(held);
    socket.once('close', () => {
      const { peer } = session;
      this.#options.admission.closed(session);
      if (peer?.kind === 'device') {
        presence.disconnected(peer.principal.tenant, peer.principal.deviceId, session.connection.id);
      }
    });
  }

  async #present({ admission, session }: Held): Promise<void> {
    await admission;
    const { peer, connection, connectedAt } = session;
    if (peer?.kind !== 'device' || session.state !== 'live') return;
    this.#options.presence.connected({
      tenant: peer.principal.tenant,
      deviceId: peer.principal.deviceId,
      protocol: 'https',
      connectionId: connection.id,
      remoteAddress: connection.remoteAddress,
      connectedAt,
    });
  }

  async #callerOf(request: IncomingMessage): Promise<Caller> {
    const { socket } = request;
    const held = socket instanceof TLSSocket ? this.#held.get(socket) : undefined;
    if (held === undefined) return { kind: 'refused', code: 'communication.session_cut' };
    const first = await held.admission;
    return first.kind === 'refused' ? first : this.#judge(held);
  }

  /** Status and rights as they are committed now. */
  async #judge(held: Held): Promise<Caller> {
    const { admission, authority } = this.#options;
    const outcome = await admission.recheck(held.session);
    if (outcome.kind === 'refused') return outcome;
    const { remoteAddress } = held.session.connection;
    held.rights ??= authority.rightsOf(outcome.peer, { clientId: undefined, remoteAddress });
    try {
      const { level, policies } = await held.rights;
      held.session.policies = policies;
      if (level === 'none') return { kind: 'refused', code: 'communication.not_allowed' };
      const recheck = async () => (await this.#judge(held)).kind === 'known';
      return { kind: 'known', principal: outcome.peer.principal, rights: level, signal: held.session.signal, recheck };
    } catch (error) {
      held.rights = undefined;
      return { kind: 'refused', code: toHoldfastError(error).code };
    }
  }
}
