import { RESTRICTED_POLICY } from '@holdfast/trust/communication';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MqttClient } from './testing/mqtt-client.ts';
import { claim, lamp, MqttWorld } from './testing/mqtt-world.ts';

let world: MqttWorld;
beforeEach(async () => {
  world = new MqttWorld();
  await world.start();
});
afterEach(() => world.close());

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
    const first = await world.open(lamp, { tls: { maxVersion } });
    if (moment.startsWith('full')) return first;
    await expect.poll(() => first.ticket).toBeDefined();
    first.socket.destroy();
    await first.closed;
    const client = await world.open(lamp, { tls: { maxVersion, session: first.ticket } });
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
    await expect.poll(() => world.actions).toEqual(expect.arrayContaining(['publish.refused', 'subscribe.refused']));
  });

  it('refuses a will where the device may not publish (AC24)', async () => {
    const { ticket } = await enter();
    for (const topic of FOREIGN_TOPICS) {
      const client = await world.open(lamp, { will: { topic }, tls: { maxVersion, session: ticket } });
      expect([topic, client.connack]).toEqual([topic, 0x87]);
    }
  });

  it('lets a restricted device do nothing with its own topics either', async () => {
    world.boundary = [RESTRICTED_POLICY];
    const client = await enter();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x87);
    expect(await client.subscribe('devices/lamp-1/commands')).toBe(0x87);
    expect(await client.subscribe('$aws/things/lamp-1/jobs/notify')).toBe(0);
  });

  it('closes to a claim that touches anything but provisioning (AC11)', async () => {
    for (const [verb, act] of Object.entries(VERBS)) {
      const client = await world.open(claim, { tls: { maxVersion } });
      expect([verb, client.connack]).toEqual([verb, 0]);
      expect([verb, await act(client, 'devices/lamp-1/state')]).toEqual([verb, 0x87]);
      expect([verb, await client.closed]).toEqual([verb, true]);
    }
    await expect.poll(() => world.actions).toEqual(expect.arrayContaining(['publish.refused', 'subscribe.refused']));
  });

  it('is shut to a revoked device, without its certificate too (AC04)', async () => {
    const { ticket } = await enter();
    world.registry.refuse(lamp, 'identity.device_revoked');
    for (const issued of [lamp, undefined]) {
      const options = moment.startsWith('full') ? { maxVersion } : { maxVersion, session: ticket };
      const client = await world.open(issued, { tls: options as { maxVersion: 'TLSv1.3' } });
      expect(client.connack ?? 0x87).toBe(0x87);
    }
  });
});
