import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim, lamp, LAMP, MqttWorld, ours } from './testing/mqtt-world.ts';

let world: MqttWorld;
beforeEach(async () => {
  world = new MqttWorld();
  await world.start();
});
afterEach(() => world.close());

describe('who may connect over MQTT', () => {
  it('lets a device in by its certificate, with both versions and any user name', async () => {
    expect((await world.open(lamp)).connack).toBe(0);
    expect((await world.open(lamp, { version: 4 })).connack).toBe(0);
    expect(world.presence.of('default', 'lamp-1')).toMatchObject([{ protocol: 'mqtt' }]);
  });

  it.each(['lamp-2', '+', '#', 'a/+', 'a/b', '$share', '*', '', 'x'.repeat(65_535)])(
    'refuses the client id %.20j on the certificate of another name (AC09, AC10)',
    async (clientId) => {
      for (const version of [4, 5] as const) {
        expect((await world.open(lamp, { clientId, version })).connack).toBe(version === 5 ? 0x85 : 2);
      }
    },
  );

  it('refuses a client id with NUL without an answer', async () => {
    const client = await world.open(lamp, { clientId: 'lamp-1\u0000' }).catch(() => undefined);
    expect(client?.connack ?? 0x85).not.toBe(0);
  });

  it.each(['identity.certificate_revoked', 'identity.device_revoked', 'identity.device_suspended'] as const)(
    'answers %s with "not authorized" and an audit entry (AC03)',
    async (code) => {
      world.registry.refuse(lamp, code);
      expect((await world.open(lamp)).connack).toBe(0x87);
      expect((await world.open(lamp, { version: 4 })).connack).toBe(5);
      await expect.poll(() => world.audit.facts).toMatchObject([{ details: { code } }, { details: { code } }]);
    },
  );

  it('refuses a certificate that the registry does not know', async () => {
    expect((await world.open(ours.issue({ profile: 'device-ldevid', name: 'lamp-9' }))).connack).toBe(0x87);
  });

  it('says "server unavailable" when the registry does not answer: a doubt is a no', async () => {
    world.registry.refuse(lamp, 'store.unavailable');
    expect((await world.open(lamp)).connack).toBe(0x88);
    expect((await world.open(lamp, { version: 4 })).connack).toBe(3);
  });

  it('gives nobody in whose device is cut between the reading of its status and the answer', async () => {
    world.registry.afterRead = () => {
      world.sessions.cut(LAMP, 'device-revoked');
      return Promise.resolve();
    };
    const client = await world.open(lamp);
    expect(client.connack).not.toBe(0);
    expect(await client.closed).toBe(true);
  });

  it('tells a client that comes too often to wait, and lets the others in', async () => {
    const answers: (number | undefined)[] = [];
    while (answers.length < 70 && answers.at(-1) !== 0x9f) {
      const client = await world.open(claim);
      answers.push(client.connack);
      client.socket.destroy();
    }
    expect(answers.length).toBeGreaterThan(50);
    expect(answers.at(-1)).toBe(0x9f);
    expect((await world.open(lamp)).connack).toBe(0);
  });

  it('takes known application protocols, and none', async () => {
    for (const ALPNProtocols of [['x-amzn-mqtt-ca'], ['mqtt'], undefined]) {
      expect((await world.open(lamp, { tls: { ALPNProtocols } })).connack).toBe(0);
    }
    expect((await world.open(lamp, { tls: { ALPNProtocols: ['h2'] } })).connack).toBeUndefined();
  });

  it('closes a connection that proves itself and then says nothing', async () => {
    const socket = connect({
      host: '127.0.0.1',
      port: world.port,
      ca: ours.root.pem,
      servername: 'localhost',
      key: lamp.keyPem,
      cert: lamp.pem,
    });
    const started = performance.now();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(performance.now() - started).toBeLessThan(5_000);
    await expect.poll(() => world.sessions.size).toBe(0);
  });
});
