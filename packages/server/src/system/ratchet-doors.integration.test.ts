import { encodeBase64 } from '@holdfast/kernel';
import { encodeRatchetProof, holdfastTopic, RATCHET_HEADER, RATCHET_USER_NAME } from '@holdfast/wire/holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { askTopic } from './testing/provisioning.ts';
import { type EnrolledDevice, TestSystem } from './testing/system.ts';

let system: TestSystem;
let serials = 0;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp', 'none');
});
afterAll(() => system.close());

const NOTHING = new Uint8Array();

const stateOf = async (device: string) => (await system.api.call('devices.show', { device })).state;

const connect = (device: EnrolledDevice, version: 4 | 5, shown: readonly Uint8Array[]): Promise<MqttClient> =>
  system.mqtt(device, {
    id: device.id,
    version,
    ...(shown.length === 0 ? {} : { userName: RATCHET_USER_NAME, password: encodeRatchetProof(shown) }),
  });

/** One connection that turns once. @returns what the next must show */
async function turn(device: EnrolledDevice, version: 4 | 5, shown: readonly Uint8Array[]): Promise<Uint8Array> {
  const client = await connect(device, version, shown);
  expect(client.connack).toBe(0);
  const offered = await askTopic(client, holdfastTopic(device.id, 'ratchet'), NOTHING, version);
  const value = offered.kind === 'accepted' ? new Uint8Array(offered.payload) : NOTHING;
  const turned = await askTopic(client, holdfastTopic(device.id, 'ratchet/turn'), value, version);
  expect([offered.kind, turned.kind]).toEqual(['accepted', 'accepted']);
  client.socket.destroy();
  return value;
}

/** A use of the device's key, and whether it was served. */
const DOORS: Readonly<
  Record<string, (device: EnrolledDevice, shown: readonly Uint8Array[]) => Promise<'served' | 'refused'>>
> = {
  'MQTT 3.1.1': async (device, shown) => ((await connect(device, 4, shown)).connack === 0 ? 'served' : 'refused'),
  'MQTT 5': async (device, shown) => ((await connect(device, 5, shown)).connack === 0 ? 'served' : 'refused'),
  HTTPS: async (device, shown) => {
    const proof = shown.length === 0 ? {} : { [RATCHET_HEADER]: encodeBase64(encodeRatchetProof(shown)) };
    const { status } = await system.https('GET', `/things/${device.id}/jobs`, { credential: device, headers: proof });
    return status === 403 || status === 0 ? 'refused' : 'served';
  },
};

const newDevice = (): Promise<EnrolledDevice> => system.enroll(`lamp-${++serials}`);

describe.each(Object.keys(DOORS))('over %s, a device that turned its ratchet', (name) => {
  const use = (device: EnrolledDevice, shown: readonly Uint8Array[]) =>
    DOORS[name]?.(device, shown) ?? Promise.resolve('no such door');

  it('is served with the value of its last connection', async () => {
    const device = await newDevice();
    const first = await turn(device, 5, []);
    const second = await turn(device, 4, [first]);
    expect(await use(device, [second])).toBe('served');
    expect(await use(device, [new Uint8Array(48).fill(1), second])).toBe('served');
    expect(await stateOf(device.id)).toBe('active');
  });

  it.each<[string, (old: Uint8Array) => readonly Uint8Array[]]>([
    ['an old value', (old) => [old]],
    ['no value', () => []],
    ['a value that never was', () => [new Uint8Array(48).fill(7)]],
  ])('is held for %s, and refused with the right one then', async (_what, shownWith) => {
    const device = await newDevice();
    const first = await turn(device, 5, []);
    const second = await turn(device, 5, [first]);
    expect(await use(device, shownWith(first))).toBe('refused');
    await expect.poll(() => stateOf(device.id)).toBe('quarantined');
    expect(await use(device, [second])).toBe('refused');
  });

  it('loses the connection it has when its copy comes', async () => {
    const device = await newDevice();
    const first = await turn(device, 5, []);
    const second = await turn(device, 5, [first]);
    const live = await connect(device, 5, [second]);
    expect(live.connack).toBe(0);
    expect(await use(device, [first])).toBe('refused');
    expect(await live.closed).toBe(true);
  });
});

it('lets an operator reset it, and says so in the log', async () => {
  const device = await newDevice();
  await turn(device, 5, []);
  expect(await system.api.call('devices.ratchet', { device: device.id })).toMatchObject({ takesPart: true, turns: 1 });
  await system.api.call('devices.reset-ratchet', { device: device.id });
  expect(await system.api.call('devices.ratchet', { device: device.id })).toEqual({ takesPart: false });
  expect((await connect(device, 5, [])).connack).toBe(0);
  expect(await system.actions(device.id)).toContain('device.ratchet_reset');
});
