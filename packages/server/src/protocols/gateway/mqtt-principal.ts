import type { Clock } from '@holdfast/kernel';
import type { AdmittedPeer, Decision, PolicyAuthority } from '@holdfast/trust/communication';
import { actorOf } from '@holdfast/trust/principal';
import type { AdmitRequest, MqttAction, MqttPrincipal } from '../mqtt/ports.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { LiveRights } from './live-rights.ts';
import type { PeerAdmission } from './peer-admission.ts';
import type { Session, SessionTable } from './session-table.ts';

export interface MqttPrincipalPorts {
  readonly admission: Pick<PeerAdmission, 'judge'>;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
  readonly sessions: SessionTable;
  readonly trail: AuditTrail;
  readonly clock: Clock;
}

/** Audit words of what a client was refused. */
const REFUSALS: Readonly<Record<MqttAction, string>> = {
  connect: 'connect.refused',
  publish: 'publish.refused',
  retain: 'publish.refused',
  subscribe: 'subscribe.refused',
  receive: 'delivery.refused',
  will: 'will.refused',
};

/** So that the refusal itself is still read before the connection goes. */
const CLAIM_FAREWELL_MS = 50;

/** An MQTT client as the core sees it: every answer comes from the rights of this moment, and none after the cut. */
export class GatewayPrincipal implements MqttPrincipal {
  readonly sessionKey: string;
  readonly realm: string;
  readonly persistentAllowed: boolean;
  /** Who it is, for the rooms behind reserved topics. */
  readonly peer: AdmittedPeer;
  readonly remoteAddress: string;
  readonly #ports: MqttPrincipalPorts;
  readonly #session: Session;
  readonly #rights: LiveRights;

  constructor(
    ports: MqttPrincipalPorts,
    session: Session,
    peer: AdmittedPeer,
    rights: LiveRights,
    request: Pick<AdmitRequest, 'connectionId' | 'clientId'>,
  ) {
    const { principal } = peer;
    this.#ports = ports;
    this.#session = session;
    this.#rights = rights;
    this.peer = peer;
    this.remoteAddress = session.connection.remoteAddress;
    this.realm = principal.tenant;
    this.persistentAllowed = principal.kind === 'device';
    // A claim's sessions are its connections: it can take over nobody, itself included.
    this.sessionKey =
      principal.kind === 'device'
        ? deviceSessionKey(principal.tenant, principal.deviceId, request.clientId)
        : `${principal.tenant}/claim/${principal.claimId}/${request.connectionId}`;
  }

  get session(): Session {
    return this.#session;
  }

  /** Resolves when the rights are those of what is committed. */
  renewRights(): Promise<void> {
    return this.#rights.renew();
  }

  mayConnect(clientId: string, will: { readonly topic: string; readonly retain: boolean } | undefined): boolean {
    return this.#allows(this.#rights.current.connect({ ...this.#rights.wish, clientId, will }));
  }

  mayPublish(topic: string, retain: boolean): boolean {
    return this.#allows(this.#rights.current.publish(topic, retain));
  }

  async mayPublishLate(topic: string, retain: boolean): Promise<boolean> {
    const { admission, authority } = this.#ports;
    if (this.#session.cutFor !== undefined) return false;
    const outcome = await admission.judge(this.#session);
    if (outcome.kind === 'refused') return false;
    const { clientId } = this.#rights.wish;
    const rights = await authority.rightsOf(outcome.peer, { clientId, remoteAddress: this.remoteAddress });
    return rights.publish(topic, retain).kind === 'allow';
  }

  maySubscribe(filter: string, share: string | undefined): boolean {
    return this.#allows(this.#rights.current.subscribe(filter, share));
  }

  mayReceive(topic: string): boolean {
    return this.#allows(this.#rights.current.receive(topic));
  }

  onViolation(action: MqttAction, resource: string): void {
    const { clock, sessions, trail } = this.#ports;
    const { principal } = this.peer;
    trail.record(this.#session.connection.id, {
      tenant: principal.tenant,
      actor: actorOf(principal),
      action: REFUSALS[action],
      subject: principal.kind === 'device' ? principal.deviceId : principal.claimId,
      details: { action, resource, address: this.remoteAddress },
    });
    // A bootstrap credential used for anything else is in the wrong hands (AC11).
    if (principal.kind === 'claim') clock.after(CLAIM_FAREWELL_MS, () => sessions.end(this.#session, 'rights-lost'));
  }

  #allows(decision: Decision): boolean {
    return decision.kind === 'allow' && this.#session.state === 'live';
  }
}

/** The session a device has under a client id; its own name is the only one it may use. No name holds a slash. */
export function deviceSessionKey(tenant: string, deviceId: string, clientId: string): string {
  return `${tenant}/device/${deviceId}/${clientId}`;
}

/** The device a session key belongs to; undefined for a claim's, and for the server's own. */
export function deviceOfSessionKey(key: string): string | undefined {
  const [, kind, deviceId] = key.split('/', 3);
  return kind === 'device' ? deviceId : undefined;
}
