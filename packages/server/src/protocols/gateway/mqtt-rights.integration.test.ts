import { DEVICE_POLICY, RESTRICTED_POLICY } from '@holdfast/trust/communication';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { purgeMqtt } from './index.ts';
import { type MqttClient, pause } from './testing/mqtt-client.ts';
import { claim, lamp, LAMP, MqttWorld, QUIET_MS } from './testing/mqtt-world.ts';

let world: MqttWorld;
beforeEach(async () => {
  world = new MqttWorld();
  await world.start();
});
afterEach(() => world.close());

describe('claims', () => {
  it('may use the name of a device and take nothing from it', async () => {
    const device = await world.open(lamp);
    const claims = await Promise.all([world.open(claim), world.open(claim)]);
    expect(claims.map((client) => client.connack)).toEqual([0, 0]);
    await pause(QUIET_MS);
    expect(device.socket.destroyed).toBe(false);
    expect(world.takeovers).toEqual([]);
    expect(world.presence.of('default', 'lamp-1')).toHaveLength(1);
  });

  it('leave no session behind', async () => {
    const first = await world.open(claim, { clean: false, expiry: 3_600 });
    await first.subscribe('$aws/certificates/create/json/accepted', 1);
    first.socket.destroy();
    await expect.poll(() => world.broker.gauges().sessions).toBe(0);
  });

  it('end with their certificate', async () => {
    const client = await world.open(claim);
    world.sessions.cut({ kind: 'claim', tenant: 'default', claimId: 'claim-1' }, 'claim-revoked');
    await client.closed;
    expect(client.disconnect).toBe(0x98);
  });
});

describe('a cut', () => {
  const cut = (): void => {
    world.sessions.cut(LAMP, 'device-revoked');
    const event = {
      tenant: 'default',
      name: 'device.revoked',
      subject: 'lamp-1',
      data: {},
      sequence: 1,
      at: 0,
    } as const;
    purgeMqtt(world.broker, { event, target: LAMP, reason: 'device-revoked' });
  };

  it('closes the connection with reason 0x98 and publishes no will (AC05)', async () => {
    world.granted = [DEVICE_POLICY];
    const client = await world.open(lamp, { will: { topic: 'devices/lamp-1/gone', retain: true } });
    cut();
    await client.closed;
    expect(client.disconnect).toBe(0x98);
    await pause(QUIET_MS);
    expect(world.broker.gauges().retainedMessages).toBe(0);
    expect(world.presence.of('default', 'lamp-1')).toEqual([]);
  });

  it('ends nothing twice and no one else', async () => {
    const [client, neighbour] = await Promise.all([world.open(lamp), world.openOther()]);
    expect(world.sessions.cut(LAMP, 'device-revoked').sessions).toBe(1);
    expect(world.sessions.cut(LAMP, 'device-revoked').sessions).toBe(0);
    await client.closed;
    expect(neighbour.socket.destroyed).toBe(false);
  });

  it('takes back what the device retained, and its stored session (AC25)', async () => {
    const client = await world.open(lamp, { clean: false, expiry: 3_600 });
    await client.subscribe('devices/lamp-1/commands', 1);
    expect(await client.publishOnce('devices/lamp-1/state', true)).toBe(0x10);
    expect(world.broker.gauges()).toMatchObject({ retainedMessages: 1, sessions: 1 });
    cut();
    await client.closed;
    expect(world.broker.gauges()).toMatchObject({ retainedMessages: 0, sessions: 0 });
  });

  it('reaches a session that is not connected', async () => {
    const client = await world.open(lamp, { clean: false, expiry: 3_600 });
    client.socket.destroy();
    await expect.poll(() => world.broker.gauges().offlineSessions).toBe(1);
    cut();
    expect(world.broker.gauges().sessions).toBe(0);
  });
});

describe('a connection that is lost', () => {
  it('leaves its will, which its rights of that moment allow', async () => {
    const client = await world.open(lamp, { will: { topic: 'devices/lamp-1/gone', retain: true } });
    client.socket.destroy();
    await expect.poll(() => world.broker.gauges().retainedMessages).toBe(1);
    expect(world.broker.metrics).toMatchObject({ willsPublished: 1, willsDenied: 0 });
  });
});

describe('a will that waits', () => {
  const leave = async (): Promise<void> => {
    const will = { topic: 'devices/lamp-1/gone', retain: true, properties: { willDelayInterval: 1 } };
    const client = await world.open(lamp, { will, clean: false, expiry: 3_600 });
    client.socket.destroy();
    await expect.poll(() => world.broker.gauges().offlineSessions).toBe(1);
  };

  it('is published by the rights its device has when it comes due', async () => {
    await leave();
    await expect.poll(() => world.broker.gauges().retainedMessages, { timeout: 3_000 }).toBe(1);
    expect(world.actions).not.toContain('will.refused');
  });

  it.each([
    ['lost its rights', () => (world.granted = [])],
    ['was suspended', () => world.registry.refuse(lamp, 'identity.device_suspended')],
  ])('is not when it %s meanwhile', async (_name, happen) => {
    await leave();
    happen();
    await expect.poll(() => world.broker.metrics.willsDenied, { timeout: 3_000 }).toBe(1);
    expect(world.broker.gauges().retainedMessages).toBe(0);
  });
});

describe('rights that change while connected', () => {
  const refresh = async (): Promise<void> => {
    for (const session of world.sessions.live()) session.refresh?.();
    await world.authenticator.settled();
  };

  it('hold from the next message on, in both directions and for the same session', async () => {
    const client = await world.open(lamp);
    await client.subscribe('devices/lamp-1/commands');
    world.boundary = [RESTRICTED_POLICY];
    await refresh();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x87);
    await world.say('devices/lamp-1/commands');
    await pause(QUIET_MS);
    expect(client.delivered).toEqual([]);
    world.boundary = undefined;
    await refresh();
    expect(await client.publishOnce('devices/lamp-1/state')).toBe(0x10);
    await world.say('devices/lamp-1/commands');
    await expect.poll(() => client.delivered).toEqual(['devices/lamp-1/commands']);
  });

  it('keep a stored message from a device that lost them while away (AC26)', async () => {
    const client = await world.open(lamp, { clean: false, expiry: 3_600 });
    await client.subscribe('devices/lamp-1/commands', 1);
    client.socket.destroy();
    await expect.poll(() => world.broker.gauges().offlineSessions).toBe(1);
    await world.say('devices/lamp-1/commands', { qos: 1 });
    world.boundary = [RESTRICTED_POLICY];
    const back = await world.open(lamp, { clean: false, expiry: 3_600 });
    await pause(QUIET_MS);
    expect(back.delivered).toEqual([]);
  });

  it('keep a retained message from a new subscription (V23)', async () => {
    await world.broker.publish({
      realm: 'default',
      topic: 'devices/lamp-1/commands',
      payload: Buffer.from('x'),
      retain: true,
    });
    world.boundary = [RESTRICTED_POLICY];
    const client = await world.open(lamp);
    expect(await client.subscribe('devices/lamp-1/commands')).toBe(0x87);
    await pause(QUIET_MS);
    expect(client.delivered).toEqual([]);
  });

  it('stop a will that was allowed when it was made (AC24)', async () => {
    const client = await world.open(lamp, { will: { topic: 'devices/lamp-1/gone', retain: true } });
    world.granted = [];
    for (const session of world.sessions.live()) session.refresh?.();
    await client.closed;
    await pause(QUIET_MS);
    expect(world.broker.gauges().retainedMessages).toBe(0);
  });

  it('end the session when it could not connect any more', async () => {
    const client = await world.open(lamp);
    world.granted = [];
    await refresh();
    await client.closed;
    expect(client.disconnect).toBe(0x98);
  });
});

describe('a copied key', () => {
  it('is reported at every take-over and loses both users when the watch says so (AC06)', async () => {
    const users: MqttClient[] = [];
    for (let turn = 0; turn < 4; turn++) users.push(await world.open(lamp));
    await expect.poll(() => world.takeovers.length).toBe(3);
    await Promise.all(users.map((user) => user.closed));
    expect(users.map((user) => user.disconnect)).toEqual([0x8e, 0x8e, 0x8e, 0x98]);
    const [first] = world.takeovers;
    expect(first?.previous.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(first?.previous.remoteAddress).not.toBe(first?.next.remoteAddress);
  });
});
