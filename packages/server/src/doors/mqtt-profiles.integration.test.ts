import { encodePublish } from '@holdfast/wire/mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { LAMP, lamp } from '../protocols/gateway/testing/mqtt-world.ts';
import { DoorsWorld, MQTT_DOORS, type MqttDoorRow } from '../testing/doors-world.ts';

let world: DoorsWorld;
beforeEach(async () => {
  world = new DoorsWorld([], 'mqtt');
  await world.start();
});
afterEach(() => world.close());

/** The one port speaks the standard here, the others as AWS IoT Core does. */
const isStandard = ({ listener }: MqttDoorRow): boolean => listener === 'mux';

async function connack(client: MqttClient) {
  const packet = await client.until(({ kind }) => kind === 'connack');
  return packet?.kind === 'connack' ? packet.properties : {};
}

describe.each(MQTT_DOORS)('MQTT $name', (door) => {
  it('tells a client what its listener can do', async () => {
    const properties = await connack(await world.open(door, lamp));
    expect([properties.maximumQos, properties.subscriptionIdentifierAvailable, properties.maximumPacketSize]).toEqual(
      isStandard(door) ? [undefined, undefined, 1_048_576] : [1, 0, 149_504],
    );
  });

  it('takes QoS 2 where the standard is spoken, and ends the connection elsewhere', async () => {
    const client = await world.open(door, lamp);
    const packet = { topic: 'devices/lamp-1/x', payload: Buffer.from('x'), qos: 2, packetId: 7 } as const;
    client.send(encodePublish(packet, 5));
    const answer = await client.until(({ kind }) => kind === 'pubrec' || kind === 'disconnect');
    expect(answer).toMatchObject(isStandard(door) ? { kind: 'pubrec' } : { kind: 'disconnect', reason: 0x9b });
  });

  it('answers a wildcard with what is retained where the standard is spoken', async () => {
    await world.mqtt.say('devices/lamp-1/kept', { qos: 1, retain: true });
    const client = await world.open(door, lamp);
    await client.subscribe('devices/lamp-1/+');
    await world.mqtt.say('devices/lamp-1/live');
    await client.until((packet) => packet.kind === 'publish' && packet.topic === 'devices/lamp-1/live');
    const kept = isStandard(door) ? ['devices/lamp-1/kept'] : [];
    expect(client.delivered).toEqual([...kept, 'devices/lamp-1/live']);
  });

  it('matches filters by the rules of the topics, which all doors share', async () => {
    const client = await world.open(door, lamp);
    await client.subscribe('devices/lamp-1/a/#');
    await world.mqtt.say('devices/lamp-1/a');
    await world.mqtt.say('devices/lamp-1/a/b');
    await client.until((packet) => packet.kind === 'publish');
    expect(client.delivered).toEqual(['devices/lamp-1/a/b']);
  });

  it('cuts a device whatever its profile', async () => {
    const client = await world.open(door, lamp);
    world.mqtt.sessions.cut(LAMP, 'device-revoked');
    await client.closed;
    expect(client.disconnect).toBe(0x98);
  });
});
