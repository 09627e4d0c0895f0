import { decodeUtf8 } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { type EnrolledDevice, TestSystem } from './testing/system.ts';

let system: TestSystem;
let lamp: EnrolledDevice;

const document = (statements: readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const topic = (name: string) => `arn:aws:iot:*:*:topic/${name}`;
const filter = (name: string) => `arn:aws:iot:*:*:topicfilter/${name}`;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  await system.addProduct('proof', 'required');
  lamp = await system.enroll('lamp-1');
});
afterAll(() => system.close());

function heard(client: MqttClient, name: string): readonly Record<string, unknown>[] {
  return client.packets.flatMap((packet) =>
    packet.kind === 'publish' && packet.topic === name
      ? [JSON.parse(decodeUtf8(packet.payload)) as Record<string, unknown>]
      : [],
  );
}

const LONG = { timeout: 20_000 };

describe('a shadow', () => {
  const S = '$aws/things/lamp-1/shadow';

  it('is changed by an operator and reported by the device, each told of the other', async () => {
    const client = await system.mqtt(lamp, { id: 'lamp-1' });
    expect(await client.subscribe(`${S}/#`, 1)).toBe(1);
    const body = { desired: { on: true, level: 3 } };
    const made = await system.api.call('shadows.update', { device: 'lamp-1', query: {}, body });
    expect(made).toMatchObject({ version: 1, state: { ...body, delta: body.desired } });
    await expect
      .poll(() => heard(client, `${S}/update/delta`), LONG)
      .toMatchObject([{ state: body.desired, version: 1 }]);
    await client.publishOnce(`${S}/update`, false, JSON.stringify({ state: { reported: { on: true, level: 2 } } }));
    await expect
      .poll(() => heard(client, `${S}/update/delta`), LONG)
      .toMatchObject([{}, { state: { level: 3 }, version: 2 }]);
    expect(heard(client, `${S}/update/documents`)).toHaveLength(2);
    expect(await system.api.call('shadows.show', { device: 'lamp-1', query: {} })).toMatchObject({
      version: 2,
      state: { delta: { level: 3 } },
    });
    expect(await system.actions('lamp-1')).toContain('shadow.updated');
  });

  it('outlives the server, named ones listed', async () => {
    const update = (name: string) =>
      system.api.call('shadows.update', { device: 'lamp-1', query: { name }, body: { desired: { a: 1 } } });
    await update('b');
    await update('a');
    await system.stop();
    await system.start();
    const { rows } = await system.api.call('shadows.list', { device: 'lamp-1', query: {} });
    expect(rows).toEqual(['a', 'b']);
    const shown = await system.api.call('shadows.show', { device: 'lamp-1', query: { name: 'a' } });
    expect(shown).toMatchObject({ name: 'a', version: 1, state: { desired: { a: 1 } } });
    await system.api.call('shadows.delete', { device: 'lamp-1', query: { name: 'a' } });
    expect(await system.code(system.api.call('shadows.show', { device: 'lamp-1', query: { name: 'a' } }))).toBe(
      'communication.shadow_unknown',
    );
  });

  it('is refused by version, by size and for a device nobody knows', async () => {
    const update = (device: string, body: object) =>
      system.code(system.api.call('shadows.update', { device, query: {}, body }));
    expect(await update('lamp-1', { desired: {}, version: 1 })).toBe('communication.shadow_conflict');
    expect(await update('lamp-1', { desired: { a: 'x'.repeat(9000) } })).toBe('communication.shadow_too_large');
    expect(await update('nobody', { desired: {} })).toBe('identity.unknown_device');
  });

  it('is out of reach of a device that has not proven itself', async () => {
    const unproven = await system.enroll('proof-1', 'proof');
    const client = await system.mqtt(unproven, { id: 'proof-1' });
    expect(await client.publishOnce('$aws/things/proof-1/shadow/get')).toBe(0x87);
    expect(await client.subscribe('$aws/things/proof-1/shadow/#')).toBe(0x87);
  });
});

describe('lifecycle events', () => {
  it('reach who may hear them, and nobody else', async () => {
    const watcher = await system.enroll('watcher');
    const policy = document([
      { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' },
      { Effect: 'Allow', Action: 'iot:Subscribe', Resource: filter('$aws/events/*') },
      { Effect: 'Allow', Action: 'iot:Receive', Resource: topic('$aws/events/*/lamp-1') },
    ]);
    await system.api.call('policies.put', { policy: 'watch', body: { document: policy } });
    await system.api.call('policies.attach', { policy: 'watch', body: { kind: 'device', id: 'watcher' } });
    const client = await system.mqtt(watcher, { id: 'watcher' });
    expect(await client.subscribe('$aws/events/#', 1)).toBe(1);
    const other = await system.mqtt(await system.enroll('lamp-2'), { id: 'lamp-2' });
    expect(await other.subscribe('$aws/events/#')).toBe(0x87);
    const own = await system.mqtt(lamp, { id: 'lamp-1' });
    await own.subscribe('devices/lamp-1/#');
    own.socket.destroy();
    await expect.poll(() => heard(client, '$aws/events/presence/disconnected/lamp-1'), LONG).toHaveLength(1);
    const [connected] = heard(client, '$aws/events/presence/connected/lamp-1');
    const [subscribed] = heard(client, '$aws/events/subscriptions/subscribed/lamp-1');
    const [disconnected] = heard(client, '$aws/events/presence/disconnected/lamp-1');
    const { sessionIdentifier, principalIdentifier, versionNumber } = connected ?? {};
    expect(connected).toMatchObject({ clientId: 'lamp-1', eventType: 'connected' });
    expect(principalIdentifier).toMatch(/^[0-9a-f]{64}$/);
    expect(subscribed).toMatchObject({ topics: ['devices/lamp-1/#'], sessionIdentifier });
    expect(disconnected).toMatchObject({
      disconnectReason: 'CONNECTION_LOST',
      clientInitiatedDisconnect: false,
      sessionIdentifier,
      versionNumber,
    });
    expect(client.delivered.filter((name) => name.endsWith('lamp-2'))).toEqual([]);
  });
});
