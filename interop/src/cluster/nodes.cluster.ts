import { setTimeout as sleep } from 'node:timers/promises';
import { encodeAck } from '@holdfast/wire/mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MqttClient } from '../../../packages/server/src/protocols/gateway/testing/mqtt-client.ts';
import type { EnrolledDevice } from '../../../packages/server/src/system/testing/system.ts';
import { ClusterWorld } from './cluster-world.ts';

const LASTING = { clean: false, expiry: 3600 } as const;
const TAKEN_OVER = 0x8e;
const CUT = 0x98;
const MOVE = 0x9c;
/** What is promised of three nodes. */
const CUT_MS = 5_000;
const RESUME_MS = 5_000;
/** Longer than a node may stand still before the others take its sessions for free. */
const ASLEEP_MS = 20_000;

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
  await world.addProduct();
});
afterAll(() => world?.close());

const payloads = (client: MqttClient): readonly string[] =>
  client.packets.flatMap((packet) => (packet.kind === 'publish' ? [Buffer.from(packet.payload).toString()] : []));

/** Answers every QoS 1 message, as a client does; what it got is added to `heard`. */
async function listen(client: MqttClient, heard: Set<string>): Promise<void> {
  let at = 0;
  while (!client.socket.destroyed || at < client.packets.length) {
    for (; at < client.packets.length; at++) {
      const packet = client.packets[at];
      if (packet?.kind !== 'publish') continue;
      heard.add(Buffer.from(packet.payload).toString());
      if (packet.qos === 1) client.send(encodeAck({ kind: 'puback', packetId: packet.packetId }, 5));
    }
    await sleep(2);
  }
}

describe('three nodes', () => {
  it('bring what is said at one to who listens at another, and know who is connected anywhere', async () => {
    const [hears, says] = [await world.enroll('hears'), await world.enroll('says', 1)];
    const listener = await world.connect(2, hears);
    expect(await listener.subscribe('room/#', 1)).toBe(1);
    const speaker = await world.connect(0, says);
    await expect.poll(async () => Promise.all([0, 1, 2].map((at) => world.connected(at)))).toEqual([2, 2, 2]);
    expect(await speaker.publishOnce('room/a', false, 'x')).toBe(0);
    await expect.poll(() => payloads(listener)).toEqual(['x']);
    listener.socket.destroy();
    speaker.socket.destroy();
    await expect.poll(() => world.connected(1)).toBe(0);
  });

  it('let a device take its session from one to another, and see a copied key in what goes to and fro', async () => {
    const device = await world.enroll('wanders');
    const first = await world.connect(0, device, LASTING);
    await first.subscribe('wanders/#', 1);
    const second = await world.connect(1, device, LASTING);
    expect(second.packets[0]).toMatchObject({ kind: 'connack', sessionPresent: true });
    await expect.poll(() => first.disconnect).toBe(TAKEN_OVER);
    await second.publishOnce('wanders/a', false, 'still');
    await expect.poll(() => payloads(second)).toEqual(['still']);
    const copies = [await world.connect(2, device, LASTING), await world.connect(0, device, LASTING)];
    await expect.poll(() => copies[1]?.disconnect ?? copies[1]?.socket.destroyed).toBeTruthy();
    expect((await world.node(1).api.call('devices.show', { device: 'wanders' })).state).toBe('quarantined');
  });

  it('cut a revoked device wherever it is connected', async () => {
    const took: number[] = [];
    for (let at = 0; at < 12; at++) {
      const device = await world.enroll(`doomed-${at}`);
      const client = await world.connect(at % 3, device);
      const begun = performance.now();
      await world.node(0).api.call('devices.revoke', { device: device.id, body: { reason: 'keyCompromise' } });
      await client.closed;
      took.push(performance.now() - begun);
      expect(client.disconnect).toBe(CUT);
    }
    const sorted = took.toSorted((a, b) => a - b).map(Math.round);
    console.info(
      `from asking to revoke to the end of the connection: median ${sorted[6]} ms, most ${sorted.at(-1)} ms`,
    );
    expect(sorted.at(-1)).toBeLessThan(CUT_MS);
  });

  it('lose no acknowledged message when one of them is killed under load, and go on elsewhere', async () => {
    const hears = await world.enroll('survivor');
    const speakers = await Promise.all([0, 1, 2].map((at) => world.enroll(`speaker-${at}`)));
    const heard = new Set<string>();
    const listener = await world.connect(1, hears, LASTING);
    await listener.subscribe('load/#', 1);
    void listen(listener, heard);
    const acknowledged: string[] = [];
    const over = new AbortController();
    const speak = async (device: EnrolledDevice, home: number): Promise<void> => {
      let client = await world.connect(home, device);
      for (let number = 0; !over.signal.aborted; number++) {
        const text = `${device.id} ${number}`;
        while ((await client.publishOnce('load/x', false, text)) !== 0) client = await world.connect(2, device);
        acknowledged.push(text);
        await sleep(2);
      }
    };
    const speaking = speakers.map((device, at) => speak(device, at));
    await expect.poll(() => heard.size).toBeGreaterThan(200);
    world.kill(1);
    const killed = performance.now();
    const again = await world.connect(2, hears, LASTING);
    expect(again.packets[0]).toMatchObject({ kind: 'connack', sessionPresent: true });
    void listen(again, heard);
    const before = heard.size;
    await expect.poll(() => heard.size).toBeGreaterThan(before);
    const resumedMs = performance.now() - killed;
    await expect.poll(() => heard.size).toBeGreaterThan(before + 200);
    over.abort();
    await Promise.all(speaking);
    await expect.poll(() => acknowledged.filter((text) => !heard.has(text))).toEqual([]);
    console.info(`${acknowledged.length} acknowledged, none lost; resumed after ${Math.round(resumedMs)} ms`);
    expect(resumedMs).toBeLessThan(RESUME_MS);
    await world.up(1);
  });

  it('go on without the bus, each alone and together by the database, and are whole again when it is back', async () => {
    const [hears, says, doomed] = await Promise.all(['keeps', 'sends', 'goes'].map((id) => world.enroll(id)));
    if (hears === undefined || says === undefined || doomed === undefined) throw new TypeError('no devices');
    const listener = await world.connect(0, hears, LASTING);
    await listener.subscribe('bus/#', 1);
    const victim = await world.connect(2, doomed);
    const speaker = await world.connect(1, says);
    await world.nats.stop();
    await expect.poll(() => world.warnings(1)).toContain('server.bus');
    expect(await speaker.publishOnce('bus/a', false, 'without')).toBe(0);
    await expect.poll(() => payloads(listener)).toContain('without');
    const begun = performance.now();
    await world.node(0).api.call('devices.revoke', { device: doomed.id, body: { reason: 'keyCompromise' } });
    await victim.closed;
    console.info(`cut without the bus after ${Math.round(performance.now() - begun)} ms`);
    expect(performance.now() - begun).toBeLessThan(CUT_MS);

    await world.nats.start();
    await expect.poll(async () => (await Promise.all([0, 1, 2].map((at) => world.warnings(at)))).flat()).toEqual([]);
    const live = await world.connect(2, await world.enroll('after'));
    await live.subscribe('back/#');
    await expect
      .poll(() => {
        speaker.publish('back/a');
        return live.delivered.length;
      })
      .toBeGreaterThan(0);
  });

  it('refuse what one that stood still writes late, and serve its sessions meanwhile', async () => {
    const [moved, stays] = [await world.enroll('moved'), await world.enroll('stays')];
    const late = await world.connect(1, moved, LASTING);
    const asleep = await world.connect(1, stays, LASTING);
    await late.subscribe('moved/early', 1);
    world.node(1).signal('SIGSTOP');
    const fresh = await world.connect(2, moved, LASTING);
    expect(fresh.packets[0]).toMatchObject({ kind: 'connack', sessionPresent: true });
    await fresh.subscribe('moved/fresh', 1);
    void late.subscribe('moved/late', 1);
    void asleep.subscribe('stays/late', 1);
    await sleep(ASLEEP_MS);
    world.node(1).signal('SIGCONT');
    await Promise.all([late.closed, asleep.closed]);
    expect(late.packets.some((packet) => packet.kind === 'suback' && packet.packetId === 2)).toBe(false);
    const speaker = await world.connect(0, await world.enroll('tells'));
    for (const topic of ['early', 'late', 'fresh']) await speaker.publishOnce(`moved/${topic}`, false, topic);
    await expect.poll(() => payloads(fresh)).toEqual(['early', 'fresh']);
    const woken = await world.connect(1, stays, LASTING);
    expect(woken.connack).toBe(0);
  });

  it('send devices elsewhere when one is stopped', async () => {
    const device = await world.enroll('rolls');
    const before = await world.connect(1, device, LASTING);
    await before.subscribe('rolls/#', 1);
    await world.node(1).stop();
    expect(before.disconnect).toBe(MOVE);
    const after = await world.connect(2, device, LASTING);
    expect(after.packets[0]).toMatchObject({ kind: 'connack', sessionPresent: true });
    await after.publishOnce('rolls/a', false, 'on');
    await expect.poll(() => payloads(after)).toEqual(['on']);
  });
});
