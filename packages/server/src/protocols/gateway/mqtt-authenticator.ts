import { type Clock, type ErrorCode, HoldfastError, type Log } from '@holdfast/kernel';
import type { AdmittedPeer, ConnectWish, Decision, PolicyAuthority } from '@holdfast/trust/communication';
import type { Ratchet } from '@holdfast/trust/identity';
import { actorOf } from '@holdfast/trust/principal';
import { decodeRatchetProof, RATCHET_USER_NAME } from '@holdfast/wire/holdfast';
import { REASON, RETURN_CODE } from '@holdfast/wire/mqtt';
import type { AdmitRequest, AdmitVerdict, Authenticator } from '../mqtt/ports.ts';
import { AddressRate } from './address-rate.ts';
import type { AuditTrail } from './audit-trail.ts';
import { IDENTITY_RATE } from './limits.ts';
import { LiveRights, RefreshQueue } from './live-rights.ts';
import { MqttPeer } from './mqtt-peer.ts';
import { GatewayPrincipal } from './mqtt-principal.ts';
import type { PeerAdmission } from './peer-admission.ts';
import type { SessionTable } from './session-table.ts';

export interface MqttAuthenticatorPorts {
  readonly admission: PeerAdmission;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
  readonly sessions: SessionTable;
  readonly trail: AuditTrail;
  /** Without it no device takes part. */
  readonly ratchet?: Pick<Ratchet, 'admit'>;
  readonly clock: Clock;
  readonly log: Log;
}

const REFUSED = { kind: 'refused', returnCode: RETURN_CODE.notAuthorized, reason: REASON.notAuthorized } as const;
const BAD_ID = {
  kind: 'refused',
  returnCode: RETURN_CODE.identifierRejected,
  reason: REASON.clientIdentifierNotValid,
} as const;

const TOO_OFTEN = {
  kind: 'refused',
  returnCode: RETURN_CODE.serverUnavailable,
  reason: REASON.connectionRateExceeded,
} as const;

/** Client ids a claim may use: the future device's, as stock clients do, and nothing a topic filter could read. */
const CLAIM_CLIENT_ID = /^[a-zA-Z0-9:_.-]{1,128}$/;

/**
 * Says who an MQTT client is: by its certificate alone. User name and password are neither asked for nor looked at, but
 * for the value that a device with a ratchet shows there; 3.1.1 has no other place.
 */
export class MqttAuthenticator implements Authenticator {
  readonly #ports: MqttAuthenticatorPorts;
  readonly #refreshes: RefreshQueue;
  readonly #rate = new AddressRate(IDENTITY_RATE.burst, IDENTITY_RATE.perSecond, IDENTITY_RATE.remembered);

  constructor(ports: MqttAuthenticatorPorts) {
    this.#ports = ports;
    this.#refreshes = new RefreshQueue(ports.clock);
  }

  /** Resolves when no session waits for its rights to be read again. */
  settled(): Promise<void> {
    return this.#refreshes.settled();
  }

  async admit(request: AdmitRequest): Promise<AdmitVerdict> {
    const held = request.peer.identity;
    if (!(held instanceof MqttPeer)) return REFUSED;
    if (!this.#rate.take(held.session.connection.fingerprint, this.#ports.clock.monotonicMs())) return TOO_OFTEN;
    const shown = shownBy(request);
    const outcome = await held.admission;
    if (outcome.kind === 'refused') return refusal(outcome.code);
    const { peer } = outcome;
    if (!isOwnClientId(peer, request)) return this.#refuse(held, peer, request, 'client-id');
    if (await this.#isTurnedAway(held, peer, shown)) return REFUSED;

    const wish = wishOf(request);
    const connection = { clientId: request.clientId, remoteAddress: held.remoteAddress };
    const live = await LiveRights.open(
      { ...this.#ports, refreshes: this.#refreshes },
      { session: held.session, connection, wish },
      peer,
    );
    const decision = live.current.connect(wish);
    if (decision.kind === 'deny') return this.#refuse(held, peer, request, decision);
    if (held.session.state !== 'live') return REFUSED;
    return { kind: 'admitted', principal: new GatewayPrincipal(this.#ports, held.session, peer, live, request) };
  }

  async #isTurnedAway(held: MqttPeer, peer: AdmittedPeer, shown: readonly Uint8Array[]): Promise<boolean> {
    const { ratchet } = this.#ports;
    if (peer.kind !== 'device' || ratchet === undefined) return false;
    const { remoteAddress } = held;
    return (await ratchet.admit(peer.principal, { shown, remoteAddress })) === 'quarantined';
  }

  #refuse(
    held: MqttPeer,
    peer: AdmittedPeer,
    request: AdmitRequest,
    why: 'client-id' | Extract<Decision, { kind: 'deny' }>,
  ): AdmitVerdict {
    const { principal } = peer;
    this.#ports.trail.record(held.session.connection.fingerprint, {
      tenant: principal.tenant,
      actor: actorOf(principal),
      action: 'connect.refused',
      subject: principal.kind === 'device' ? principal.deviceId : principal.claimId,
      details: {
        reason: why === 'client-id' ? why : why.layer,
        policy: why === 'client-id' ? null : (why.by?.policy ?? null),
        clientId: request.clientId,
        will: request.connect.will?.topic ?? null,
        address: held.remoteAddress,
      },
    });
    return why === 'client-id' ? BAD_ID : REFUSED;
  }
}

/** A device is called what its certificate says (AC09); nobody else may, since sessions and policies go by the name. */
function isOwnClientId(peer: AdmittedPeer, request: AdmitRequest): boolean {
  if (request.clientIdAssigned) return false;
  if (peer.kind === 'claim') return CLAIM_CLIENT_ID.test(request.clientId);
  return request.clientId === peer.principal.deviceId;
}

/** Copied at once: the packet's bytes are the socket's. What is no proof is nothing shown. */
function shownBy({ connect }: AdmitRequest): readonly Uint8Array[] {
  if (connect.userName !== RATCHET_USER_NAME || connect.password === undefined) return [];
  try {
    return decodeRatchetProof(connect.password.slice());
  } catch {
    return [];
  }
}

function wishOf({ clientId, connect }: AdmitRequest): ConnectWish {
  const persistent = connect.version === 5 ? (connect.properties.sessionExpiryInterval ?? 0) > 0 : !connect.clean;
  return { clientId, persistent, will: connect.will };
}

/** @throws `store.unavailable`, which the core words as "server unavailable": nobody is refused for our own trouble. */
function refusal(code: ErrorCode): AdmitVerdict {
  if (code === 'store.unavailable') throw new HoldfastError(code);
  return REFUSED;
}
