import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import type { Issued } from '../testing/test-authority.ts';
import { type EnrolledDevice, TestSystem } from './testing/system.ts';

const STORM = 60;
/** What a live session gets through while the storm lasts. */
const ROUNDS = 20;

let system: TestSystem;
let live: EnrolledDevice;
let fleet: EnrolledDevice[];

beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  live = await system.enroll('live');
  fleet = [];
  for (let at = 0; at < STORM; at++) fleet.push(await system.enroll(`storm-${at}`));
}, 120_000);
afterAll(() => system.close());

function connectAll(devices: readonly EnrolledDevice[]): Promise<readonly MqttClient[]> {
  const where = { port: system.port('mqtt'), ca: system.ca };
  return Promise.all(
    devices.map((device) => MqttClient.open({ ...where, issued: device as unknown as Issued, clientId: device.id })),
  );
}

describe('a reconnect storm', () => {
  it('neither ends nor starves a live session, lets everybody in, and leaves room to enroll', async () => {
    const session = await system.mqtt(live, { id: live.id });
    const weather = { calm: false };
    const storm = connectAll(fleet).finally(() => {
      weather.calm = true;
    });
    const newcomer = system.enroll('newcomer');
    let rounds = 0;
    let during = 0;
    while (!weather.calm || rounds < ROUNDS) {
      expect(await session.publishOnce(`devices/live/${rounds}`)).toBeDefined();
      rounds++;
      if (!weather.calm) during++;
    }
    const clients = await storm;
    expect(clients.map(({ connack }) => connack)).toEqual(Array(STORM).fill(0));
    expect((await newcomer).id).toBe('newcomer');
    expect(during).toBeGreaterThan(0);
    expect(session.socket.destroyed).toBe(false);
    for (const { socket } of clients) socket.destroy();
  });

  it('is over when the server says so: all come back after a restart', async () => {
    await system.stop();
    await system.start();
    const clients = await connectAll(fleet);
    expect(clients.map(({ connack }) => connack)).toEqual(Array(STORM).fill(0));
    for (const { socket } of clients) socket.destroy();
  });
});
