import { createCsr, createSigner, generatePrivateKey } from '@holdfast/crypto';
import { silentLog, systemClock, systemRandom } from '@holdfast/kernel';
import { DEFAULT_ARN_SCOPE, Policies, PolicyAuthority } from '@holdfast/trust/communication';
import { CloneTrap } from '@holdfast/trust/identity';
import { encodePem } from '@holdfast/wire/pem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { communicationRepositories } from '../../persistence/repositories/communication.ts';
import { SealedMessageKeys } from '../../persistence/repositories/communication-keys.ts';
import { SqlDurableStore } from '../../persistence/repositories/communication-mqtt.ts';
import { SqlSealedRecords } from '../../persistence/repositories/storage-records.ts';
import { ADMIN, connection, type IdentityWorld, openIdentityWorld } from '../../testing/identity-world.ts';
import { type Issued, TestAuthority } from '../../testing/test-authority.ts';
import { AWS_PROFILE, eventLoopTurn, MqttBroker } from '../mqtt/index.ts';
import {
  AuditTrail,
  EventReactions,
  gatewayObserver,
  MqttAuthenticator,
  MqttDoor,
  MqttEntrance,
  PeerAdmission,
  PresenceBoard,
  purgeMqtt,
  SessionTable,
} from './index.ts';
import { MqttClient } from './testing/mqtt-client.ts';

const shared = { clock: systemClock, log: silentLog };
const tls = new TestAuthority('Server Root');
const server = tls.issue({ profile: 'server', name: 'localhost' });
const OWN_TOPIC = 'devices/lamp-1/state';

let world: IdentityWorld;
let policies: Policies;
let sessions: SessionTable;
let reactions: EventReactions;
let broker: MqttBroker;
let door: MqttDoor;
let port: number;
const clients: MqttClient[] = [];

/** The rooms and rows as the product has them, with the gateway before them. */
beforeEach(async () => {
  world = await openIdentityWorld();
  // OpenSSL judges validity by the machine's clock.
  world.clock.jump(systemClock.now() - world.clock.now());
  await world.addProduct('lamp', 'none');
  const { opened, repositories } = world;
  const { audit, events, outbox, reader, store } = opened;
  const rows = communicationRepositories(reader);
  const scopeOf = () => DEFAULT_ARN_SCOPE;
  policies = new Policies({ ...rows, ...repositories, audit, outbox, store, scopeOf, clock: systemClock });
  sessions = new SessionTable(systemClock);
  const trail = new AuditTrail({ audit, store, ...shared });
  const admission = new PeerAdmission({ identifier: world.peers, sessions, trail, clock: systemClock });
  const authority = new PolicyAuthority({ ...rows, ...repositories, posture: world.postures, scopeOf, ...shared });
  const fields = {
    seal: (_: object, plain: Uint8Array) => Promise.resolve({ sealed: plain, keyVersion: 1 }),
    open: (_: object, sealed: Uint8Array) => Promise.resolve(sealed),
  };
  const keys = new SealedMessageKeys({
    fields,
    sealedRecords: new SqlSealedRecords(reader),
    store,
    clock: systemClock,
    random: systemRandom,
  });
  broker = new MqttBroker({
    ...shared,
    random: systemRandom,
    turn: eventLoopTurn,
    store: new SqlDurableStore({ reader, store, keys, log: silentLog }),
    authenticator: new MqttAuthenticator({ admission, authority, sessions, trail, ...shared }),
    profile: { ...AWS_PROFILE, minKeepAlive: 0 },
    observer: gatewayObserver({
      presence: new PresenceBoard(),
      takeovers: new CloneTrap({ clock: systemClock, registry: world.registry }),
      sessions,
      log: silentLog,
    }),
  });
  await broker.start();
  reactions = new EventReactions({ events, sessions, onCut: (cut) => purgeMqtt(broker, cut), ...shared });
  reactions.start();
  let ids = 0;
  door = new MqttDoor({
    ...shared,
    host: '127.0.0.1',
    port: 0,
    material: { keyPem: server.keyPem, chainPem: server.pem },
    clientCas: world.authority.chainDer.map((der) => encodePem('CERTIFICATE', der)),
    ticketSecret: new Uint8Array(32),
    ticketEpoch: 0,
    entrance: new MqttEntrance({
      broker,
      admission,
      nextConnectionId: () => `connection-${ids++}`,
      clock: systemClock,
    }),
    onRefused: () => undefined,
  });
  port = await door.listen();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  reactions.close();
  sessions.close();
  await broker.close();
  await door.close();
  await world.opened.close();
});

type Credential = Pick<Issued, 'keyPem' | 'pem'>;

async function enroll(): Promise<Credential> {
  const claim = await world.addClaim({ serials: ['lamp-1'] });
  const key = await generatePrivateKey('P-256');
  const csr = await createCsr({ subject: [] }, createSigner(key));
  const { certificateDer } = await world.enrollment.enrollDirect(claim, csr, connection('c', 'est'));
  return { keyPem: key.exportPem(), pem: encodePem('CERTIFICATE', certificateDer) };
}

async function open(
  device: Credential,
  options: { readonly expiry?: number; readonly clean?: boolean } = {},
): Promise<MqttClient> {
  const client = await MqttClient.open({
    port,
    ca: tls.root.pem,
    issued: device as Issued,
    clientId: 'lamp-1',
    ...options,
  });
  clients.push(client);
  return client;
}

describe('a device of the registry', () => {
  it('is cut when it is revoked, loses what it left, and does not come back', async () => {
    const device = await enroll();
    const client = await open(device, { clean: false, expiry: 3_600 });
    expect(client.connack).toBe(0);
    expect(await client.publishOnce(OWN_TOPIC, true)).toBe(0x10);
    expect(broker.gauges()).toMatchObject({ retainedMessages: 1, sessions: 1 });
    await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
    await client.closed;
    expect(client.disconnect).toBe(0x98);
    await expect.poll(() => broker.gauges()).toMatchObject({ retainedMessages: 0, sessions: 0 });
    expect((await open(device)).connack).toBe(0x87);
  });

  it('is cut when an operator suspends it, and let in again as it was', async () => {
    const device = await enroll();
    const client = await open(device);
    await world.registry.suspend(ADMIN, 'lamp-1', 'lost');
    await client.closed;
    expect((await open(device)).connack).toBe(0x87);
    await world.registry.readmit(ADMIN, 'lamp-1');
    expect((await open(device)).connack).toBe(0);
  });

  it('follows a policy that is attached, changed and detached while it is connected', async () => {
    const client = await open(await enroll());
    const document = (resource: string) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: ['iot:Connect', 'iot:Publish'], Resource: `arn:aws:iot:*:*:${resource}` },
        ],
      });
    const target = { kind: 'device', id: 'lamp-1' } as const;
    expect(await client.publishOnce('site/a')).toBe(0x87);
    await policies.put(ADMIN, 'site', document('*'));
    await policies.attach(ADMIN, 'site', target);
    await expect.poll(() => client.publishOnce('site/a')).toBe(0x10);
    await policies.put(ADMIN, 'site', document('*/lamp-1'));
    await expect.poll(() => client.publishOnce('site/a')).toBe(0x87);
    await policies.detach(ADMIN, 'site', target);
    await expect.poll(() => client.publishOnce(OWN_TOPIC)).toBe(0x10);
    expect(client.socket.destroyed).toBe(false);
  });

  it('is quarantined with its copy at the third take-over in a minute, both addresses on record (AC06)', async () => {
    const device = await enroll();
    const users: MqttClient[] = [];
    for (let turn = 0; turn < 4; turn++) users.push(await open(device));
    await Promise.all(users.map((user) => user.closed));
    expect((await world.registry.show('default', 'lamp-1')).state).toBe('quarantined');
    const entries = await world.audit();
    const details = entries.find(({ action }) => action === 'device.quarantined')?.details ?? '{}';
    const { firstAddress, secondAddress } = JSON.parse(details) as Record<string, string>;
    expect([firstAddress, secondAddress]).toEqual([expect.stringMatching(/^127/), expect.stringMatching(/^127/)]);
    expect(firstAddress).not.toBe(secondAddress);
    expect((await open(device)).connack).toBe(0x87);
  });

  it('loses a connection that its renewed certificate has replaced', async () => {
    const device = await enroll();
    const first = await open(device);
    const before = sessions.live()[0]?.peer;
    const key = await generatePrivateKey('P-256');
    const csr = await createCsr({ subject: [] }, createSigner(key));
    if (before?.kind !== 'device') throw new TypeError('not a device');
    const renewed = await world.enrollment.renew(before.principal, csr, connection('c', 'est'));
    const second = await open({ keyPem: key.exportPem(), pem: encodePem('CERTIFICATE', renewed) });
    expect(second.connack).toBe(0);
    await first.closed;
    expect((await open(device)).connack).toBe(0x87);
    expect(await second.publishOnce(OWN_TOPIC, true)).toBe(0x10);
    await world.revocation.certificate(ADMIN, before.principal.fingerprint, 'keyCompromise');
    await world.opened.events.settled();
    expect(second.socket.destroyed).toBe(false);
    expect(broker.gauges().retainedMessages).toBe(1);
  });
});
