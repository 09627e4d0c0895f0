import { RESTRICTED_POLICY } from '@holdfast/trust/communication';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionOptions } from 'node:tls';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { claim, lamp } from '../protocols/gateway/testing/mqtt-world.ts';
import { DoorsWorld, MQTT_DOORS } from '../testing/doors-world.ts';

let world: DoorsWorld;
beforeEach(async () => {
  world = new DoorsWorld();
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

const EVERY = MQTT_DOORS.flatMap((door) => MOMENTS.map((moment) => ({ ...door, moment })));

describe.each(EVERY)('MQTT $name, $moment', (door) => {
  const { moment } = door;
  const maxVersion = moment.endsWith('1.3') ? 'TLSv1.3' : 'TLSv1.2';

  const open = (issued: typeof lamp | undefined, tls: ConnectionOptions, will?: { readonly topic: string }) =>
    world.open(door, issued, { tls: { maxVersion, ...tls }, ...(will === undefined ? {} : { will }) });

  async function enter(): Promise<MqttClient> {
    const first = await open(lamp, {});
    if (moment.startsWith('full')) return first;
    await expect.poll(() => first.ticket).toBeDefined();
    first.socket.destroy();
    await first.closed;
    const client = await open(lamp, { session: first.ticket });
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
    await expect
      .poll(() => world.mqtt.actions)
      .toEqual(expect.arrayContaining(['publish.refused', 'subscribe.refused']));
  });

  it('refuses a will where the device may not publish (AC24)', async () => {
    const { ticket } = await enter();
    for (const topic of FOREIGN_TOPICS) {
      const client = await open(lamp, { session: ticket }, { topic });
      expect([topic, client.connack]).toEqual([topic, 0x87]);
    }
  });

  it('lets a restricted device do nothing with its own topics either', async () => {
    world.mqtt.boundary = [RESTRICTED_POLICY];
    const client = await enter();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x87);
    expect(await client.subscribe('devices/lamp-1/commands')).toBe(0x87);
    expect(await client.subscribe('$aws/things/lamp-1/jobs/notify')).toBe(0);
  });

  it('closes to a claim that touches anything but provisioning (AC11)', async () => {
    const tries = Object.entries(VERBS).map(async ([verb, act]) => {
      const client = await open(claim, {});
      const { connack } = client;
      return [verb, connack, await act(client, 'devices/lamp-1/state'), await client.closed];
    });
    expect(await Promise.all(tries)).toEqual(Object.keys(VERBS).map((verb) => [verb, 0, 0x87, true]));
    await expect
      .poll(() => world.mqtt.actions)
      .toEqual(expect.arrayContaining(['publish.refused', 'subscribe.refused']));
  });

  it('is shut to a revoked device, without its certificate too (AC04)', async () => {
    const { ticket } = await enter();
    world.mqtt.registry.refuse(lamp, 'identity.device_revoked');
    for (const issued of [lamp, undefined]) {
      const client = await open(issued, moment.startsWith('full') ? {} : { session: ticket });
      expect(client.connack ?? 0x87).toBe(0x87);
    }
  });
});
