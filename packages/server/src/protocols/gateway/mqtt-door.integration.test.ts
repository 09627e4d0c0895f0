import { connect } from 'node:tls';
import { silentLog, systemClock, systemRandom } from '@holdfast/kernel';
import {
  CLAIM_POLICY,
  CompiledPolicy,
  DEVICE_POLICY,
  type NamedPolicy,
  RESTRICTED_POLICY,
  Rights,
} from '@holdfast/trust/communication';
import type { Takeover } from '@holdfast/trust/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AWS_PROFILE, eventLoopTurn, MemoryStore, MqttBroker } from '../mqtt/index.ts';
import {
  AuditTrail,
  gatewayObserver,
  MqttAuthenticator,
  MqttDoor,
  PeerAdmission,
  PresenceBoard,
  purgeMqtt,
  SessionTable,
} from './index.ts';
import { type ConnectOptions, MqttClient, pause } from './testing/mqtt-client.ts';
import { type Issued, TestAuthority } from './testing/test-authority.ts';
import { TestAudit, TestRegistry } from './testing/test-registry.ts';

const ours = new TestAuthority('Holdfast Root');
const server = ours.issue({ profile: 'server', name: 'localhost' });
const lamp = ours.issue({ profile: 'device-ldevid', name: 'lamp-1' });
const other = ours.issue({ profile: 'device-ldevid', name: 'lamp-2' });
const claim = ours.issue({ profile: 'claim', name: 'claim-1' });

let boundary: readonly NamedPolicy[] | undefined;
let granted: readonly NamedPolicy[];
let registry: TestRegistry;
let sessions: SessionTable;
let audit: TestAudit;
let presence: PresenceBoard;
let broker: MqttBroker;
let authenticator: MqttAuthenticator;
let door: MqttDoor;
let takeovers: Takeover[];
let port: number;
const clients: MqttClient[] = [];

beforeEach(async () => {
  boundary = undefined;
  granted = [DEVICE_POLICY];
  takeovers = [];
  registry = new TestRegistry();
  registry.addDevice('lamp-1', lamp);
  registry.addDevice('lamp-2', other);
  registry.addClaim('claim-1', claim);
  sessions = new SessionTable(systemClock);
  audit = new TestAudit();
  presence = new PresenceBoard();
  const trail = new AuditTrail({ store: audit, audit, clock: systemClock, log: silentLog });
  const admission = new PeerAdmission({ identifier: registry, sessions, trail, clock: systemClock });
  authenticator = new MqttAuthenticator({
    admission,
    authority: {
      rightsOf: (peer, { clientId, remoteAddress }) => {
        const context = {
          clientId,
          sourceIp: remoteAddress,
          thing: peer.kind === 'device' ? { name: peer.device.deviceId, typeName: 'lamp', attributes: {} } : undefined,
          certificate: undefined,
          posture: undefined,
          firmwareVersion: undefined,
          securityCounter: undefined,
        };
        const policies = peer.kind === 'device' ? granted : [CLAIM_POLICY];
        const level = boundary === undefined ? 'full' : 'restricted';
        const policy = new CompiledPolicy(policies, boundary, context);
        return Promise.resolve(new Rights(level, policy, systemClock, ['test']));
      },
    },
    sessions,
    trail,
    clock: systemClock,
    log: silentLog,
  });
  const watch = {
    takenOver: (takeover: Takeover) => {
      takeovers.push(takeover);
      return Promise.resolve(takeovers.length >= 3 ? ('quarantined' as const) : ('kept' as const));
    },
  };
  broker = new MqttBroker({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    turn: eventLoopTurn,
    store: new MemoryStore(),
    authenticator,
    profile: { ...AWS_PROFILE, minKeepAlive: 0 },
    limits: { connectDeadlineMs: 1_000 },
    observer: gatewayObserver({ presence, takeovers: watch, sessions, log: silentLog }),
  });
  await broker.start();
  let ids = 0;
  door = new MqttDoor({
    host: '127.0.0.1',
    port: 0,
    material: { keyPem: server.keyPem, chainPem: server.pem },
    clientCas: [ours.root.pem],
    ticketSecret: new Uint8Array(32).fill(9),
    ticketEpoch: 0,
    broker,
    admission,
    onRefused: () => undefined,
    nextConnectionId: () => `connection-${ids++}`,
    clock: systemClock,
    log: silentLog,
  });
  port = await door.listen();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  sessions.close();
  await broker.close();
  await door.close();
});

async function open(issued: Issued | undefined, options: Partial<ConnectOptions> = {}): Promise<MqttClient> {
  const clientId = issued === other ? 'lamp-2' : 'lamp-1';
  const client = await MqttClient.open({ port, ca: ours.root.pem, issued, clientId, ...options });
  clients.push(client);
  return client;
}

const LAMP = { kind: 'device', tenant: 'default', deviceId: 'lamp-1' } as const;
const actions = (): string[] => audit.facts.map((fact) => fact.action);
/** Long enough for a message between two loopback clients; what has not come by then was not sent. */
const QUIET_MS = 60;

describe('who may connect over MQTT', () => {
  it('lets a device in by its certificate, with both versions and any user name', async () => {
    expect((await open(lamp)).connack).toBe(0);
    expect((await open(lamp, { version: 4 })).connack).toBe(0);
    expect(presence.of('default', 'lamp-1')).toMatchObject([{ protocol: 'mqtt' }]);
  });

  it.each(['lamp-2', '+', '#', 'a/+', 'a/b', '$share', '*', '', 'x'.repeat(65_535)])(
    'refuses the client id %.20j on the certificate of another name (AC09, AC10)',
    async (clientId) => {
      for (const version of [4, 5] as const) {
        expect((await open(lamp, { clientId, version })).connack).toBe(version === 5 ? 0x85 : 2);
      }
    },
  );

  it('refuses a client id with NUL without an answer', async () => {
    const client = await open(lamp, { clientId: 'lamp-1\u0000' }).catch(() => undefined);
    expect(client?.connack ?? 0x85).not.toBe(0);
  });

  it.each(['identity.certificate_revoked', 'identity.device_revoked', 'identity.device_suspended'] as const)(
    'answers %s with "not authorized" and an audit entry (AC03)',
    async (code) => {
      registry.refuse(lamp, code);
      expect((await open(lamp)).connack).toBe(0x87);
      expect((await open(lamp, { version: 4 })).connack).toBe(5);
      await expect.poll(() => audit.facts).toMatchObject([{ details: { code } }, { details: { code } }]);
    },
  );

  it('refuses a certificate that the registry does not know', async () => {
    expect((await open(ours.issue({ profile: 'device-ldevid', name: 'lamp-9' }))).connack).toBe(0x87);
  });

  it('says "server unavailable" when the registry does not answer: a doubt is a no', async () => {
    registry.refuse(lamp, 'store.unavailable');
    expect((await open(lamp)).connack).toBe(0x88);
    expect((await open(lamp, { version: 4 })).connack).toBe(3);
  });

  it('gives nobody in whose device is cut between the reading of its status and the answer', async () => {
    registry.afterRead = () => {
      sessions.cut(LAMP, 'device-revoked');
      return Promise.resolve();
    };
    const client = await open(lamp);
    expect(client.connack).not.toBe(0);
    expect(await client.closed).toBe(true);
  });

  it('takes known application protocols, and none', async () => {
    for (const ALPNProtocols of [['x-amzn-mqtt-ca'], ['mqtt'], undefined]) {
      expect((await open(lamp, { tls: { ALPNProtocols } })).connack).toBe(0);
    }
    expect((await open(lamp, { tls: { ALPNProtocols: ['h2'] } })).connack).toBeUndefined();
  });

  it('closes a connection that proves itself and then says nothing', async () => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: ours.root.pem,
      servername: 'localhost',
      key: lamp.keyPem,
      cert: lamp.pem,
    });
    const started = performance.now();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(performance.now() - started).toBeLessThan(5_000);
    await expect.poll(() => sessions.size).toBe(0);
  });
});

/** Every way to reach a topic, as the client does it; the outcome is what the client is told. */
const VERBS: Readonly<Record<string, (client: MqttClient, topic: string) => Promise<number | undefined>>> = {
  publish: (client, topic) => client.publishOnce(topic),
  'publish retained': (client, topic) => client.publishOnce(topic, true),
  subscribe: (client, topic) => client.subscribe(topic),
  'subscribe at QoS 1': (client, topic) => client.subscribe(topic, 1),
  'subscribe in a shared group': (client, topic) => client.subscribe(`$share/g/${topic}`),
  'subscribe under it': (client, topic) => client.subscribe(`${topic}/#`),
  'subscribe by a wildcard': (client, topic) => client.subscribe(topic.replace(/lamp-\d/, '+')),
};
const FOREIGN_TOPICS = [
  'devices/lamp-2/state',
  '$aws/things/lamp-2/jobs/notify',
  '$holdfast/things/lamp-2/time',
  '$SYS/x',
];
const MOMENTS = ['full 1.3', 'resumed 1.3', 'full 1.2', 'resumed 1.2'] as const;

describe.each(MOMENTS)('every door, %s', (moment) => {
  const maxVersion = moment.endsWith('1.3') ? 'TLSv1.3' : 'TLSv1.2';

  async function enter(): Promise<MqttClient> {
    const first = await open(lamp, { tls: { maxVersion } });
    if (moment.startsWith('full')) return first;
    await expect.poll(() => first.ticket).toBeDefined();
    first.socket.destroy();
    await first.closed;
    const client = await open(lamp, { tls: { maxVersion, session: first.ticket } });
    expect(client.socket.isSessionReused()).toBe(true);
    return client;
  }

  it('keeps a device out of what is not its own (AC23)', async () => {
    const client = await enter();
    for (const [verb, act] of Object.entries(VERBS)) {
      for (const topic of FOREIGN_TOPICS) {
        expect([verb, topic, await act(client, topic)]).toEqual([verb, topic, 0x87]);
      }
    }
    for (const filter of ['#', '+/#', '$share/g/#', '$SYS/#', '$aws/#', 'devices/#']) {
      expect([filter, await client.subscribe(filter)]).toEqual([filter, 0x87]);
    }
    await expect.poll(actions).toEqual(expect.arrayContaining(['publish.refused', 'subscribe.refused']));
  });

  it('refuses a will where the device may not publish (AC24)', async () => {
    const { ticket } = await enter();
    for (const topic of FOREIGN_TOPICS) {
      const client = await open(lamp, { will: { topic }, tls: { maxVersion, session: ticket } });
      expect([topic, client.connack]).toEqual([topic, 0x87]);
    }
  });

  it('lets a restricted device do nothing with its own topics either', async () => {
    boundary = [RESTRICTED_POLICY];
    const client = await enter();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x87);
    expect(await client.subscribe('devices/lamp-1/commands')).toBe(0x87);
    expect(await client.subscribe('$aws/things/lamp-1/jobs/notify')).toBe(0);
  });

  it('closes to a claim that touches anything but provisioning (AC11)', async () => {
    for (const [verb, act] of Object.entries(VERBS)) {
      const client = await open(claim, { tls: { maxVersion } });
      expect([verb, client.connack]).toEqual([verb, 0]);
      expect([verb, await act(client, 'devices/lamp-1/state')]).toEqual([verb, 0x87]);
      expect([verb, await client.closed]).toEqual([verb, true]);
    }
    await expect.poll(actions).toEqual(expect.arrayContaining(['publish.refused', 'subscribe.refused']));
  });

  it('is shut to a revoked device, without its certificate too (AC04)', async () => {
    const { ticket } = await enter();
    registry.refuse(lamp, 'identity.device_revoked');
    for (const issued of [lamp, undefined]) {
      const options = moment.startsWith('full') ? { maxVersion } : { maxVersion, session: ticket };
      const client = await open(issued, { tls: options as { maxVersion: 'TLSv1.3' } });
      expect(client.connack ?? 0x87).toBe(0x87);
    }
  });
});

describe('claims', () => {
  it('may use the name of a device and take nothing from it', async () => {
    const device = await open(lamp);
    const claims = await Promise.all([open(claim), open(claim)]);
    expect(claims.map((client) => client.connack)).toEqual([0, 0]);
    await pause(QUIET_MS);
    expect(device.socket.destroyed).toBe(false);
    expect(takeovers).toEqual([]);
    expect(presence.of('default', 'lamp-1')).toHaveLength(1);
  });

  it('leave no session behind', async () => {
    const first = await open(claim, { clean: false, expiry: 3_600 });
    await first.subscribe('$aws/certificates/create/json/accepted', 1);
    first.socket.destroy();
    await expect.poll(() => broker.gauges().sessions).toBe(0);
  });

  it('end with their certificate', async () => {
    const client = await open(claim);
    sessions.cut({ kind: 'claim', tenant: 'default', claimId: 'claim-1' }, 'claim-revoked');
    await client.closed;
    expect(client.disconnect).toBe(0x98);
  });
});

describe('a cut', () => {
  const cut = (): void => {
    sessions.cut(LAMP, 'device-revoked');
    const event = {
      tenant: 'default',
      name: 'device.revoked',
      subject: 'lamp-1',
      data: {},
      sequence: 1,
      at: 0,
    } as const;
    purgeMqtt(broker, { event, target: LAMP, reason: 'device-revoked' });
  };

  it('closes the connection with reason 0x98 and publishes no will (AC05)', async () => {
    granted = [DEVICE_POLICY];
    const client = await open(lamp, { will: { topic: 'devices/lamp-1/gone', retain: true } });
    cut();
    await client.closed;
    expect(client.disconnect).toBe(0x98);
    await pause(QUIET_MS);
    expect(broker.gauges().retainedMessages).toBe(0);
    expect(presence.of('default', 'lamp-1')).toEqual([]);
  });

  it('ends nothing twice and no one else', async () => {
    const [client, neighbour] = await Promise.all([open(lamp), open(other)]);
    expect(sessions.cut(LAMP, 'device-revoked').sessions).toBe(1);
    expect(sessions.cut(LAMP, 'device-revoked').sessions).toBe(0);
    await client.closed;
    expect(neighbour.socket.destroyed).toBe(false);
  });

  it('takes back what the device retained, and its stored session (AC25)', async () => {
    const client = await open(lamp, { clean: false, expiry: 3_600 });
    await client.subscribe('devices/lamp-1/commands', 1);
    expect(await client.publishOnce('devices/lamp-1/state', true)).toBe(0x10);
    expect(broker.gauges()).toMatchObject({ retainedMessages: 1, sessions: 1 });
    cut();
    await client.closed;
    expect(broker.gauges()).toMatchObject({ retainedMessages: 0, sessions: 0 });
  });

  it('reaches a session that is not connected', async () => {
    const client = await open(lamp, { clean: false, expiry: 3_600 });
    client.socket.destroy();
    await expect.poll(() => broker.gauges().offlineSessions).toBe(1);
    cut();
    expect(broker.gauges().sessions).toBe(0);
  });
});

describe('rights that change while connected', () => {
  const refresh = async (): Promise<void> => {
    for (const session of sessions.live()) session.refresh?.();
    await authenticator.settled();
  };

  it('hold from the next message on, in both directions and for the same session', async () => {
    const client = await open(lamp);
    await client.subscribe('devices/lamp-1/commands');
    boundary = [RESTRICTED_POLICY];
    await refresh();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x87);
    await broker.publish({ realm: 'default', topic: 'devices/lamp-1/commands', payload: Buffer.from('x') });
    await pause(QUIET_MS);
    expect(client.delivered).toEqual([]);
    boundary = undefined;
    await refresh();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x10);
    await broker.publish({ realm: 'default', topic: 'devices/lamp-1/commands', payload: Buffer.from('x') });
    await expect.poll(() => client.delivered).toEqual(['devices/lamp-1/commands']);
  });

  it('keep a stored message from a device that lost them while away (AC26)', async () => {
    const client = await open(lamp, { clean: false, expiry: 3_600 });
    await client.subscribe('devices/lamp-1/commands', 1);
    client.socket.destroy();
    await expect.poll(() => broker.gauges().offlineSessions).toBe(1);
    await broker.publish({ realm: 'default', topic: 'devices/lamp-1/commands', payload: Buffer.from('x'), qos: 1 });
    boundary = [RESTRICTED_POLICY];
    const back = await open(lamp, { clean: false, expiry: 3_600 });
    await pause(QUIET_MS);
    expect(back.delivered).toEqual([]);
  });

  it('keep a retained message from a new subscription (V23)', async () => {
    await broker.publish({
      realm: 'default',
      topic: 'devices/lamp-1/commands',
      payload: Buffer.from('x'),
      retain: true,
    });
    boundary = [RESTRICTED_POLICY];
    const client = await open(lamp);
    expect(await client.subscribe('devices/lamp-1/commands')).toBe(0x87);
    await pause(QUIET_MS);
    expect(client.delivered).toEqual([]);
  });

  it('stop a will that was allowed when it was made (AC24)', async () => {
    const client = await open(lamp, { will: { topic: 'devices/lamp-1/gone', retain: true } });
    granted = [];
    for (const session of sessions.live()) session.refresh?.();
    await client.closed;
    await pause(QUIET_MS);
    expect(broker.gauges().retainedMessages).toBe(0);
  });

  it('end the session when it could not connect any more', async () => {
    const client = await open(lamp);
    granted = [];
    await refresh();
    await client.closed;
    expect(client.disconnect).toBe(0x98);
  });
});

describe('a copied key', () => {
  it('is reported at every take-over and loses both users when the watch says so (AC06)', async () => {
    const users: MqttClient[] = [];
    for (let turn = 0; turn < 4; turn++) users.push(await open(lamp));
    await expect.poll(() => takeovers.length).toBe(3);
    await Promise.all(users.map((user) => user.closed));
    expect(users.map((user) => user.disconnect)).toEqual([0x8e, 0x8e, 0x8e, 0x98]);
    const [first] = takeovers;
    expect(first?.previous.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(first?.previous.remoteAddress).not.toBe(first?.next.remoteAddress);
  });
});
