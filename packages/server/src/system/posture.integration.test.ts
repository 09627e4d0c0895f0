import {
  createSigner,
  generatePrivateKey,
  importPublicKeyPem,
  mcubootPublicKey,
  prepareMcubootImage,
} from '@holdfast/crypto';
import {
  encodeBootProgram,
  HoldfastRequests,
  type ManufacturedDevice,
  manufactureDevice,
  MqttConnection,
} from '@holdfast/device';
import { encodeBase64, encodeUtf8, seededRandom, systemClock } from '@holdfast/kernel';
import { decodeDsseEnvelope } from '@holdfast/wire/dsse';
import { decodeReleaseRoot } from '@holdfast/wire/manifest';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type EnrolledDevice, TestSystem } from './testing/system.ts';

const PRODUCT = 'hub';
const REVISION = 'rev-a';
const LIMIT_MS = 1_000;

let system: TestSystem;
let older: Uint8Array;
let newer: Uint8Array;
const connections: MqttConnection[] = [];

beforeAll(async () => {
  system = await TestSystem.start();
  const boot = { format: 'mcuboot', slotSize: 256 * 1024, align: 4 } as const;
  await system.api.call('products.create', { body: { name: PRODUCT, boot } });
  older = await publish('1.0.0', 1);
  newer = await publish('2.0.0', 2);
});
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
});
afterAll(() => system.close());

/** The server signs it. @returns the image for the factory to flash */
async function publish(version: string, securityCounter: number): Promise<Uint8Array> {
  const { id: artifactId } = await system.api.call('artifacts.upload', {
    octets: seededRandom(securityCounter).bytes(30_000),
  });
  const body = { product: PRODUCT, version, securityCounter, artifactId };
  const { id: release } = await system.api.call('releases.create', { body });
  return system.api.call('releases.image', { release });
}

interface Hub {
  readonly made: ManufacturedDevice;
  readonly credential: EnrolledDevice;
  readonly connection: MqttConnection;
  readonly requests: HoldfastRequests;
}

/** The factory step, enrollment and a connection; nothing proven yet. */
async function newHub(serial: string, firmware: Uint8Array): Promise<Hub> {
  const made = await manufacture(serial, firmware);
  const body = {
    id: serial,
    serial,
    product: PRODUCT,
    hardwareRevision: REVISION,
    attestationAnchor: encodeBase64(made.attestationAnchor),
    ueid: made.profile.ueid,
  };
  await system.api.call('devices.create', { body });
  const credential = await system.enroll(serial, PRODUCT);
  const connection = await MqttConnection.open({
    host: 'localhost',
    port: system.port('mqtt'),
    credentials: { anchors: [system.ca], certificatePem: credential.pem, key: credential.key },
    clientId: serial,
    version: 5,
    clock: systemClock,
  });
  connections.push(connection);
  return { made, credential, connection, requests: new HoldfastRequests(connection, serial) };
}

async function manufacture(serial: string, firmware: Uint8Array): Promise<ManufacturedDevice> {
  const anchors = await system.api.call('trust-anchors.show', { product: PRODUCT });
  const bootKey = await generatePrivateKey('P-256');
  const prepared = prepareMcubootImage(
    encodeBootProgram([importPublicKeyPem(anchors.imageKeyPem).spki]),
    { version: parseVersion('1.0.0'), headerSize: 32, securityCounter: 0, padHeader: true },
    mcubootPublicKey(bootKey.keyObject),
  );
  const root = decodeDsseEnvelope(encodeUtf8(JSON.stringify(anchors.releaseRoot)));
  return manufactureDevice({
    tenant: 'default',
    product: PRODUCT,
    hardwareRevision: REVISION,
    serial,
    board: 'nrf52840',
    bootloader: prepared.finish(await createSigner(bootKey).sign(prepared.request.message)),
    firmware,
    trust: {
      tlsAnchors: [anchors.tlsAnchorsPem],
      bootKey: bootKey.publicKey.spki,
      releaseRoot: decodeReleaseRoot(root.payload),
    },
  });
}

const prove = ({ made, requests }: Hub) => requests.prove(made.device.boot(), made.profile.ueid);

/** Whether the server takes a message on this topic, in this very session. */
async function takes({ connection }: Hub, topic: string): Promise<boolean> {
  expect(connection.isOpen).toBe(true);
  return connection.publish(topic, new Uint8Array(1), 1).then(
    () => true,
    () => false,
  );
}

const dataTopics = (id: string) => [`devices/${id}/state`, `devices/${id}/a/b`, `$aws/things/${id}/shadow/update`];
const keptTopics = (id: string) => [
  `$holdfast/things/${id}/evidence/nonce`,
  `$holdfast/things/${id}/time`,
  `$holdfast/things/${id}/health`,
  `$aws/things/${id}/jobs/get`,
  `$aws/things/${id}/jobs/start-next`,
  `$aws/things/${id}/streams/none/get/json`,
];

async function expectRestricted(hub: Hub, id: string): Promise<void> {
  for (const topic of dataTopics(id)) expect([topic, await takes(hub, topic)]).toEqual([topic, false]);
  for (const topic of keptTopics(id)) expect([topic, await takes(hub, topic)]).toEqual([topic, true]);
  await expect(hub.connection.subscribe([`devices/${id}/commands`])).rejects.toMatchObject({
    code: 'device.request_rejected',
  });
  await hub.connection.subscribe([`$aws/things/${id}/jobs/notify`]);
  expect(Math.abs((await hub.requests.time()) - systemClock.now())).toBeLessThan(5_000);
  const renewal = await system.https('GET', '/.well-known/est/cacerts', { credential: hub.credential });
  expect(renewal.status).toBe(200);
}

describe('a device of a product that asks for proof', () => {
  it('has update, evidence, time and health until it proved what it runs, and the rest in the same session after', async () => {
    const hub = await newHub('hub-1', older);
    expect((await system.api.call('devices.show', { device: 'hub-1' })).posture.state).toBe('unproven');
    await expectRestricted(hub, 'hub-1');
    expect(await prove(hub)).toMatchObject({ posture: 'proven' });
    await expect.poll(() => takes(hub, 'devices/hub-1/state')).toBe(true);
    await hub.connection.subscribe(['devices/hub-1/commands']);
    const shown = await system.api.call('devices.show', { device: 'hub-1' });
    expect([shown.posture.state, shown.firmware?.version]).toEqual(['proven', '1.0.0']);
  });

  it('proves nothing with the evidence of another device, nor twice with one nonce', async () => {
    const honest = await newHub('hub-2', older);
    const liar = await newHub('hub-3', older);
    await expect(liar.requests.prove(honest.made.device.boot(), honest.made.profile.ueid)).rejects.toMatchObject({
      code: 'device.request_rejected',
    });
    await expectRestricted(liar, 'hub-3');
    expect((await system.api.call('devices.show', { device: 'hub-3' })).posture.state).not.toBe('proven');
  });

  it('is restricted in the same session within a second of a raised minimum, as the preview said', async () => {
    const behind = await newHub('hub-4', older);
    const ahead = await newHub('hub-5', newer);
    const silent = await newHub('hub-6', older);
    await Promise.all([prove(behind), prove(ahead)]);
    for (const [hub, id] of [
      [behind, 'hub-4'],
      [ahead, 'hub-5'],
    ] as const) {
      await expect.poll(() => takes(hub, `devices/${id}/state`)).toBe(true);
    }
    const wish = { version: '2.0.0', reason: 'a flaw in 1.0.0' };
    const preview = await system.api.call('products.preview-minimum', { product: PRODUCT, body: wish });
    expect(preview.devices).toContain('hub-4');
    expect(preview.devices).not.toContain('hub-5');
    expect(preview.devices).not.toContain('hub-6');
    expect(preview.restricts).toBe(preview.devices.length);
    // The preview is no act.
    expect(await takes(behind, 'devices/hub-4/state')).toBe(true);

    const begun = systemClock.monotonicMs();
    await system.api.call('products.raise-minimum', { product: PRODUCT, body: wish });
    await expect.poll(() => takes(behind, 'devices/hub-4/state'), { interval: 10 }).toBe(false);
    const ms = systemClock.monotonicMs() - begun;
    process.stdout.write(`a raised minimum restricted a live session after ${ms.toFixed(0)} ms\n`);
    expect(ms).toBeLessThan(LIMIT_MS);

    await expectRestricted(behind, 'hub-4');
    expect(await takes(ahead, 'devices/hub-5/state')).toBe(true);
    expect(silent.connection.isOpen).toBe(true);
    const shown = await system.api.call('devices.show', { device: 'hub-4' });
    expect([shown.posture.state, shown.posture.reasons.map(({ code }) => code)]).toEqual([
      'restricted',
      ['posture.below_minimum'],
    ]);
    expect(await prove(behind)).toMatchObject({ posture: 'restricted' });
  });

  it('keeps its rights when a release is published: that raises no minimum', async () => {
    const hub = await newHub('hub-7', newer);
    await prove(hub);
    await expect.poll(() => takes(hub, 'devices/hub-7/state')).toBe(true);
    await publish('3.0.0', 3);
    expect(await takes(hub, 'devices/hub-7/state')).toBe(true);
    const product = await system.api.call('products.show', { product: PRODUCT });
    expect([product.minimumVersion, product.minimumSecurityCounter]).toEqual(['2.0.0', 0]);
  });
});
