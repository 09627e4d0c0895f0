import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type Clock, decodeBase64, type Log, toHoldfastError } from '@holdfast/kernel';
import type { AdmittedPeer, PolicyAuthority, Rights } from '@holdfast/trust/communication';
import type { Ratchet } from '@holdfast/trust/identity';
import { decodeRatchetProof, RATCHET_HEADER } from '@holdfast/wire/holdfast';
import {
  AddressRate,
  type Admission,
  HTTPS_IDENTITY_RATE,
  LONGEST_TRUST_MS,
  type PeerAdmission,
  peerFingerprint,
  type PresenceBoard,
  type Session,
  WebSocketDoor,
} from '../gateway/index.ts';
import type { DeviceRoute } from './device-route.ts';
import { HTTP_SETTINGS, MAX_HEADERS } from './http-settings.ts';
import { type Caller, handleRequest } from './request-handler.ts';
import { RouteTable } from './route-table.ts';

/** Application protocols that mean device HTTPS. */
export const HTTPS_ALPN = ['http/1.1', 'x-amzn-http-ca'] as const;

export interface DeviceHttpPorts {
  readonly routes: readonly DeviceRoute[];
  readonly admission: PeerAdmission;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
  readonly presence: PresenceBoard;
  /** Without it no device takes part. */
  readonly ratchet?: Pick<Ratchet, 'admit'>;
  /** Takes connections that ask to speak MQTT in WebSocket; without it nobody may. */
  readonly webSockets?: WebSocketDoor;
  /** Connections of one certificate; over it a connection is told to come later, and nothing is read for it. */
  readonly identityRate?: Record<keyof typeof HTTPS_IDENTITY_RATE, number>;
  /** Unique for each connection of the process' life. */
  readonly nextConnectionId: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Held {
  readonly session: Session;
  readonly admission: Promise<Admission>;
  readonly webSockets: WebSocketDoor | undefined;
  rights: { readonly read: Promise<Rights>; readonly at: number } | undefined;
  /** Judged once: a turn on another connection does not end this one. */
  ratchet: Promise<'admitted' | 'quarantined'> | undefined;
}

/**
 * HTTP behind mutual TLS, whichever port the connection came in by: every connection is registered as its certificate,
 * every request is judged by the status as committed.
 */
export class DeviceHttp {
  readonly #ports: DeviceHttpPorts;
  readonly #server: Server;
  readonly #rate: AddressRate;
  readonly #held = new WeakMap<TLSSocket, Held>();

  constructor(ports: DeviceHttpPorts) {
    const { clock, log, webSockets } = ports;
    const routes = new RouteTable(ports.routes);
    const callerOf = (request: IncomingMessage) => this.#callerOf(request);
    this.#ports = ports;
    const { burst, perSecond, remembered } = ports.identityRate ?? HTTPS_IDENTITY_RATE;
    this.#rate = new AddressRate(burst, perSecond, remembered);
    this.#server = createServer(
      {
        ...HTTP_SETTINGS,
        shouldUpgradeCallback: (request) => webSockets !== undefined && WebSocketDoor.isAskedFor(request),
      },
      (request, response) => void handleRequest({ routes, callerOf, clock, log }, request, response),
    );
    this.#server.maxHeadersCount = MAX_HEADERS;
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    // From this event on node:http watches its header deadlines; the sockets that listen are not its own.
    this.#server.emit('listening');
  }

  /**
   * Takes a TLS connection whose bytes are HTTP.
   *
   * @param webSockets - In place of the listeners' common door to MQTT, where a port speaks another profile.
   */
  take(socket: TLSSocket, webSockets = this.#ports.webSockets): void {
    const fingerprint = peerFingerprint(socket);
    if (fingerprint === undefined) {
      socket.destroy();
      return;
    }
    const { admission, clock, nextConnectionId } = this.#ports;
    if (!this.#rate.take(fingerprint, clock.monotonicMs())) {
      this.#server.emit('connection', socket);
      return;
    }
    const opened = admission.open({
      id: nextConnectionId(),
      protocol: 'https',
      fingerprint,
      remoteAddress: socket.remoteAddress ?? '',
      end: () => socket.destroy(),
    });
    const held: Held = { ...opened, webSockets, rights: undefined, ratchet: undefined };
    this.#held.set(socket, held);
    held.session.refresh = () => {
      held.rights = undefined;
    };
    void this.#present(held);
    socket.once('close', () => this.#release(held));
    this.#server.emit('connection', socket);
  }

  /** Stops watching; the sockets are their listener's to close. */
  close(): void {
    this.#server.close();
  }

  async #present({ admission, session }: Held): Promise<void> {
    await admission;
    const { peer, connection, connectedAt } = session;
    if (peer?.kind !== 'device' || session.state !== 'live') return;
    this.#ports.presence.connected({
      tenant: peer.principal.tenant,
      deviceId: peer.principal.deviceId,
      protocol: 'https',
      connectionId: connection.id,
      remoteAddress: connection.remoteAddress,
      connectedAt,
    });
  }

  #release({ session }: Held): void {
    const { admission, presence } = this.#ports;
    const { peer, connection } = session;
    admission.closed(session);
    if (peer?.kind === 'device') {
      presence.disconnected(peer.principal.tenant, peer.principal.deviceId, connection.id);
    }
  }

  /** Registered as MQTT before it stops being HTTPS: a revocation in between finds it under either. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { log } = this.#ports;
    const held = socket instanceof TLSSocket ? this.#held.get(socket) : undefined;
    if (held?.webSockets === undefined || !(socket instanceof TLSSocket)) {
      socket.destroy();
      return;
    }
    try {
      await held.webSockets.upgrade(request, socket, head);
      this.#release(held);
    } catch (error) {
      log.error('a connection could not be upgraded', { code: toHoldfastError(error).code });
      socket.destroy();
    }
  }

  async #callerOf(request: IncomingMessage): Promise<Caller> {
    const { socket } = request;
    const held = socket instanceof TLSSocket ? this.#held.get(socket) : undefined;
    if (held === undefined) return { kind: 'refused', code: 'communication.busy' };
    const first = await held.admission;
    if (first.kind === 'refused') return first;
    if (await this.#isTurnedAway(held, first.peer, request)) {
      return { kind: 'refused', code: 'identity.device_quarantined' };
    }
    return this.#judge(held);
  }

  async #isTurnedAway(held: Held, peer: AdmittedPeer, request: IncomingMessage): Promise<boolean> {
    const { ratchet } = this.#ports;
    if (peer.kind !== 'device' || ratchet === undefined) return false;
    const { remoteAddress } = held.session.connection;
    held.ratchet ??= ratchet.admit(peer.principal, { shown: shownBy(request), remoteAddress });
    try {
      return (await held.ratchet) === 'quarantined';
    } catch (error) {
      held.ratchet = undefined;
      throw error;
    }
  }

  /** Status and rights as they are committed now. */
  async #judge(held: Held): Promise<Caller> {
    const outcome = await this.#ports.admission.recheck(held.session);
    if (outcome.kind === 'refused') return outcome;
    try {
      const rights = await this.#rightsOf(held, outcome.peer);
      if (rights.level === 'none') return { kind: 'refused', code: 'communication.not_allowed' };
      const recheck = async () => (await this.#judge(held)).kind === 'known';
      return { kind: 'known', principal: outcome.peer.principal, rights, signal: held.session.signal, recheck };
    } catch (error) {
      held.rights = undefined;
      return { kind: 'refused', code: toHoldfastError(error).code };
    }
  }

  /** Trusted as long as at the MQTT doors: groups, attributes and the age of evidence change without an event. */
  async #rightsOf(held: Held, peer: AdmittedPeer): Promise<Rights> {
    const { authority, clock } = this.#ports;
    const now = clock.monotonicMs();
    if (held.rights !== undefined && now - held.rights.at >= LONGEST_TRUST_MS) held.rights = undefined;
    const { remoteAddress } = held.session.connection;
    const own = (held.rights ??= {
      read: authority.rightsOf(peer, { clientId: clientIdOf(peer), remoteAddress }),
      at: now,
    });
    const rights = await own.read;
    // A change announced meanwhile is read before anybody relies on what was before it.
    if (held.rights !== own) return this.#rightsOf(held, peer);
    held.session.policies = rights.policies;
    return rights;
  }
}

/** What is no proof is nothing shown. */
function shownBy({ headers }: IncomingMessage): readonly Uint8Array[] {
  const proof = headers[RATCHET_HEADER];
  if (typeof proof !== 'string') return [];
  try {
    return decodeRatchetProof(decodeBase64(proof, RATCHET_HEADER));
  } catch {
    return [];
  }
}

/** HTTP has no client id. A device has one name at every door, so that a policy means the same at all of them. */
function clientIdOf(peer: AdmittedPeer): string | undefined {
  return peer.kind === 'device' ? peer.principal.deviceId : undefined;
}
