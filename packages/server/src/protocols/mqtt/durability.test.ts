import { encodeUtf8 } from '@holdfast/kernel';
import {
  encodeAck,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  type MqttPacket,
  type PublishPacket,
} from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from './memory-store.ts';
import type { DurableStore, StoreChange } from './ports.ts';
import { Bench, type TestClient } from './testing/test-core.ts';

const X = encodeUtf8('x');
const GOODBYE = encodeReasonPacket({ kind: 'disconnect' }, 5);
const PERSISTENT = { properties: { sessionExpiryInterval: 1000 } };

/** A store whose appends become durable when the test says so. */
class SlowStore implements DurableStore {
  readonly inner = new MemoryStore();
  held: (() => void)[] = [];
  slow = false;
  broken = false;

  load(): ReturnType<DurableStore['load']> {
    return this.inner.load();
  }

  async append(changes: readonly StoreChange[]): Promise<void> {
    if (this.broken) throw new Error('disk full');
    if (this.slow) await new Promise<void>((resolve) => this.held.push(resolve));
    await this.inner.append(changes);
  }

  release(): void {
    for (const resolve of this.held.splice(0)) resolve();
  }
}

function published(packets: readonly MqttPacket[]): PublishPacket[] {
  return packets.filter((packet) => packet.kind === 'publish');
}
const topics = (packets: readonly MqttPacket[]) => published(packets).map(({ topic }) => topic);

function publish(topic: string, qos: 0 | 1 | 2, packetId: number, options: { retain?: boolean; version?: 4 | 5 } = {}) {
  const { retain = false, version = 5 } = options;
  return encodePublish({ topic, payload: X, qos, packetId, retain }, version);
}

async function subscribed(bench: Bench, name: string, text = '#'): Promise<TestClient> {
  const client = await bench.client(name, PERSISTENT);
  await client.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text, qos: 2 }] }, 5));
  return client;
}

describe('durability', () => {
  it('acknowledges QoS 1 for a persistent session only when it is stored, and keeps the order of acknowledgements', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store });
    await (await subscribed(bench, 's', 'kept')).say(GOODBYE);
    const sender = await bench.client('p');
    store.slow = true;
    expect(await sender.say(publish('kept', 1, 1), publish('fleeting', 1, 2), publish('kept', 1, 3))).toEqual([]);
    store.release();
    expect(await sender.hear()).toMatchObject([
      { kind: 'puback', packetId: 1 },
      { kind: 'puback', packetId: 2 },
      { kind: 'puback', packetId: 3 },
    ]);
  });

  it('does not wait when nothing has to last', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store });
    const client = await bench.client('s');
    await client.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text: '#', qos: 1 }] }, 5));
    store.slow = true;
    const sender = await bench.client('p');
    expect(await sender.say(publish('t', 1, 1))).toMatchObject([{ kind: 'puback' }]);
    expect(store.held).toHaveLength(0);
  });

  it.each(['online', 'offline'])(
    'stores before the acknowledgement when the persistent session is %s',
    async (where) => {
      const store = new SlowStore();
      const bench = await Bench.started({ store });
      const client = await subscribed(bench, 's');
      if (where === 'offline') await client.say(GOODBYE);
      store.slow = true;
      const sender = await bench.client('p');
      expect(await sender.say(publish('t', 1, 1))).toEqual([]);
      store.release();
      expect(await sender.hear()).toMatchObject([{ kind: 'puback' }]);
      expect((await store.inner.load()).messages).toHaveLength(1);
    },
  );

  it('stores a retained message before it acknowledges it', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store });
    store.slow = true;
    const sender = await bench.client('p');
    expect(await sender.say(publish('t', 1, 1, { retain: true }))).toEqual([]);
    store.release();
    expect(await sender.hear()).toMatchObject([{ kind: 'puback' }]);
  });

  it('answers SUBSCRIBE of a persistent session when the subscription is stored', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store });
    const client = await bench.client('s', PERSISTENT);
    store.slow = true;
    const packet = encodeSubscribe({ packetId: 1, subscriptions: [{ text: '#', qos: 1 }] }, 5);
    expect(await client.say(packet)).toEqual([]);
    store.release();
    expect(await client.hear()).toMatchObject([{ kind: 'suback' }]);
  });

  it('keeps the order of messages while acknowledgements wait', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store });
    const client = await subscribed(bench, 's');
    store.slow = true;
    const sender = await bench.client('p');
    for (let n = 1; n <= 10; n++) {
      await sender.say(publish(`t${n}`, 1, n));
      if (n % 3 === 0) store.release();
    }
    expect(topics(await client.hear())).toEqual(Array.from({ length: 10 }, (_, n) => `t${n + 1}`));
  });

  it('acknowledges nothing the store refused: the publisher is sent away', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store });
    await (await subscribed(bench, 's')).say(GOODBYE);
    store.broken = true;
    const sender = await bench.client('p');
    expect(await sender.say(publish('t', 1, 1))).toMatchObject([{ kind: 'disconnect', reason: 0x89 }]);
    const two = await bench.client('q', PERSISTENT);
    expect(await two.say(publish('t', 2, 1))).toMatchObject([{ kind: 'disconnect', reason: 0x89 }]);
    store.broken = false;
    const { client } = await bench.connect('q', { clean: false, ...PERSISTENT });
    expect(await client.say(publish('t', 2, 1))).toMatchObject([{ kind: 'pubrec' }]);
    expect((await store.inner.load()).sessions.flatMap(({ inbound }) => inbound)).toHaveLength(1);
  });

  it('reads an MQTT 3.1.1 client no further while too much waits for the store', async () => {
    const store = new SlowStore();
    const bench = await Bench.started({ store, limits: { maxPendingAcks: 3 } });
    await (await subscribed(bench, 's')).say(GOODBYE);
    const sender = await bench.client('p', { version: 4 });
    store.slow = true;
    for (let n = 1; n <= 3; n++) await sender.say(publish('t', 1, n, { version: 4 }));
    expect(sender.pipe.paused).toBe(true);
    store.release();
    expect(await sender.hear()).toHaveLength(3);
    expect(sender.pipe.paused).toBe(false);
  });

  it('brings sessions, queues, half exchanges and retained messages back after a restart', async () => {
    const store = new MemoryStore();
    const before = await Bench.started({ store });
    const client = await subscribed(before, 's');
    const sender = await before.client('p', PERSISTENT);
    await sender.say(publish('sent', 1, 1), publish('both', 2, 2), encodeAck({ kind: 'pubrel', packetId: 2 }, 5));
    const heard = published(await client.hear());
    await client.say(encodeAck({ kind: 'pubrec', packetId: heard[1]?.packetId ?? 0 }, 5));
    await client.say(GOODBYE);
    await sender.say(publish('queued', 1, 3), publish('kept', 1, 4, { retain: true }), publish('half', 2, 5));

    const after = await Bench.started({ store });
    const back = await after.connect('s', { clean: false, ...PERSISTENT });
    expect(back.heard).toMatchObject([
      { kind: 'connack', sessionPresent: true },
      { kind: 'pubrel', packetId: heard[1]?.packetId },
      { topic: 'sent', dup: true, packetId: heard[0]?.packetId },
      { topic: 'queued', dup: false },
      { topic: 'kept', dup: false },
    ]);
    const publisher = await after.connect('p', { clean: false, ...PERSISTENT });
    await publisher.client.say(encodeAck({ kind: 'pubrel', packetId: 5 }, 5));
    expect(topics(await back.client.hear())).toEqual(['half']);
    const late = await after.client('late');
    const all = encodeSubscribe({ packetId: 1, subscriptions: [{ text: '#', qos: 0 }] }, 5);
    expect(topics(await late.say(all))).toEqual(['kept']);
  });

  it('leaves nothing behind once everything is delivered and the session has ended', async () => {
    const store = new MemoryStore();
    const bench = await Bench.started({ store });
    const client = await subscribed(bench, 's');
    const sender = await bench.client('p', PERSISTENT);
    await sender.say(publish('a', 1, 1), publish('b', 2, 2), encodeAck({ kind: 'pubrel', packetId: 2 }, 5));
    const heard = published(await client.hear());
    await client.say(encodeAck({ kind: 'puback', packetId: heard[0]?.packetId ?? 0 }, 5));
    await client.say(encodeAck({ kind: 'pubrec', packetId: heard[1]?.packetId ?? 0 }, 5));
    await client.say(encodeAck({ kind: 'pubcomp', packetId: heard[1]?.packetId ?? 0 }, 5));
    expect((await store.load()).messages).toEqual([]);
    await sender.say(publish('c', 1, 3));
    for (const each of [client, sender]) await each.say(GOODBYE);
    await bench.advance(1001);
    expect(await store.load()).toEqual({ messages: [], lastMessageId: 0, sessions: [], retained: [] });
  });

  it('counts the expiry of a session from its disconnection, over restarts', async () => {
    const store = new MemoryStore();
    const before = await Bench.started({ store });
    await (await subscribed(before, 's')).say(GOODBYE);
    const at = before.clock.now();
    const early = await Bench.started({ store }, at + 999_000);
    expect(early.broker.gauges().sessions).toBe(1);
    await early.advance(2);
    expect(early.broker.gauges().sessions).toBe(0);
  });
});
