import { silentLog, systemClock, systemRandom } from '@holdfast/kernel';
import {
  type AdmittedPeer,
  CLAIM_POLICY,
  CompiledPolicy,
  type ConnectionFacts,
  DEVICE_POLICY,
  type NamedPolicy,
  type PolicyAuthority,
  Rights,
} from '@holdfast/trust/communication';
import type { Takeover } from '@holdfast/trust/identity';
import { AWS_PROFILE, eventLoopTurn, MemoryStore, MqttBroker } from '../../mqtt/index.ts';
import {
  AuditTrail,
  gatewayObserver,
  MqttAuthenticator,
  MqttDoor,
  MqttEntrance,
  PeerAdmission,
  PresenceBoard,
  SessionTable,
} from '../index.ts';
import { type ConnectOptions, MqttClient } from './mqtt-client.ts';
import { type Issued, TestAuthority } from '../../../testing/test-authority.ts';
import { TestAudit, TestRegistry } from '../../../testing/test-registry.ts';

export const ours = new TestAuthority('Holdfast Root');
export const lamp = ours.issue({ profile: 'device-ldevid', name: 'lamp-1' });
export const claim = ours.issue({ profile: 'claim', name: 'claim-1' });
export const LAMP = { kind: 'device', tenant: 'default', deviceId: 'lamp-1' } as const;

/** Long enough for a message between two loopback clients; what has not come by then was not sent. */
export const QUIET_MS = 60;

export const server = ours.issue({ profile: 'server', name: 'localhost' });
const other = ours.issue({ profile: 'device-ldevid', name: 'lamp-2' });

/** MQTT over TLS on a free port: the real door and core, over a registry and a store in memory. */
export class MqttWorld {
  readonly registry = new TestRegistry();
  readonly sessions = new SessionTable(systemClock);
  readonly audit = new TestAudit();
  readonly presence = new PresenceBoard();
  readonly takeovers: Takeover[] = [];
  readonly admission: PeerAdmission;
  readonly authority: Pick<PolicyAuthority, 'rightsOf'>;
  readonly authenticator: MqttAuthenticator;
  readonly broker: MqttBroker;
  readonly entrance: MqttEntrance;
  readonly door: MqttDoor;
  granted: readonly NamedPolicy[] = [DEVICE_POLICY];
  boundary: readonly NamedPolicy[] | undefined;
  port = 0;
  readonly #clients: MqttClient[] = [];

  constructor() {
    const { audit, presence, registry, sessions, takeovers } = this;
    const shared = { clock: systemClock, log: silentLog };
    const trail = new AuditTrail({ store: audit, audit, ...shared });
    const admission = new PeerAdmission({ identifier: registry, sessions, trail, clock: systemClock });
    this.admission = admission;
    const authority = {
      rightsOf: (peer: AdmittedPeer, facts: ConnectionFacts) => Promise.resolve(this.#rightsOf(peer, facts)),
    };
    this.authority = authority;
    registry.addDevice('lamp-1', lamp);
    registry.addDevice('lamp-2', other);
    registry.addClaim('claim-1', claim);
    this.authenticator = new MqttAuthenticator({ admission, authority, sessions, trail, ...shared });
    const watch = {
      takenOver: (takeover: Takeover) => {
        takeovers.push(takeover);
        return Promise.resolve(takeovers.length >= 3 ? ('quarantined' as const) : ('kept' as const));
      },
    };
    this.broker = new MqttBroker({
      ...shared,
      random: systemRandom,
      turn: eventLoopTurn,
      store: new MemoryStore(),
      authenticator: this.authenticator,
      profile: { ...AWS_PROFILE, minKeepAlive: 0 },
      limits: { connectDeadlineMs: 1_000 },
      observer: gatewayObserver({ presence, takeovers: watch, sessions, log: silentLog }),
    });
    let ids = 0;
    this.entrance = new MqttEntrance({
      broker: this.broker,
      admission,
      nextConnectionId: () => `connection-${ids++}`,
      clock: systemClock,
    });
    this.door = new MqttDoor({
      ...shared,
      host: '127.0.0.1',
      port: 0,
      material: { keyPem: server.keyPem, chainPem: server.pem },
      clientCas: [ours.root.pem],
      ticketSecret: new Uint8Array(32).fill(9),
      ticketEpoch: 0,
      entrance: this.entrance,
      onRefused: () => undefined,
    });
  }

  async start(): Promise<void> {
    await this.broker.start();
    this.port = await this.door.listen();
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    this.sessions.close();
    await this.broker.close();
    await this.door.close();
  }

  /** Connects with a certificate, under the name in it unless told otherwise. */
  async open(issued: Issued | undefined, options: Partial<ConnectOptions> = {}): Promise<MqttClient> {
    const client = await MqttClient.open({
      port: this.port,
      ca: ours.root.pem,
      issued,
      clientId: 'lamp-1',
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** The device next door. */
  openOther(): Promise<MqttClient> {
    return this.open(other, { clientId: 'lamp-2' });
  }

  /** What the audit log holds, in order. */
  get actions(): readonly string[] {
    return this.audit.facts.map(({ action }) => action);
  }

  /** Publishes as the server does. */
  say(topic: string, options: { readonly qos?: 0 | 1; readonly retain?: boolean } = {}): Promise<void> {
    return this.broker.publish({ realm: 'default', topic, payload: Buffer.from('x'), ...options });
  }

  #rightsOf(peer: AdmittedPeer, { clientId, remoteAddress }: ConnectionFacts): Rights {
    const context = {
      clientId,
      sourceIp: remoteAddress,
      thing: peer.kind === 'device' ? { name: peer.device.deviceId, typeName: 'lamp', attributes: {} } : undefined,
      certificate: undefined,
      posture: undefined,
      firmwareVersion: undefined,
      securityCounter: undefined,
    };
    const policies = peer.kind === 'device' ? this.granted : [CLAIM_POLICY];
    const policy = new CompiledPolicy(policies, this.boundary, context);
    return new Rights(this.boundary === undefined ? 'full' : 'restricted', policy, systemClock, ['test']);
  }
}
