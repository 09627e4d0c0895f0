import { concatBytes, encodeUtf8 } from '@holdfast/kernel';
import {
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  encodeUnsubscribe,
  type MqttVersion,
  PINGREQ,
} from '@holdfast/wire/mqtt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONNECTION_LIFE } from './connection-life.ts';
import { AWS_PROFILE, fitsTopicLimits, keepAliveInForce, MQTT_PROFILE } from './profiles.ts';
import { Bench, connectPacket } from './testing/test-core.ts';

const X = encodeUtf8('x');
const subscribe = (text: string, qos: 0 | 1 | 2 = 1) =>
  encodeSubscribe({ packetId: 1, subscriptions: [{ text, qos }] }, 5);
const publish = (topic: string, qos: 0 | 1 | 2 = 0, payload: Uint8Array = X) =>
  encodePublish({ topic, payload, qos, packetId: qos === 0 ? 0 : 1 }, 5);

describe('bounds', () => {
  it('hold the queue of an offline session', async () => {
    const bench = await Bench.started({ limits: { maxQueuedMessages: 3 } });
    const options = { properties: { sessionExpiryInterval: 100 } };
    await (await bench.client('s', options)).say(subscribe('#'), encodeReasonPacket({ kind: 'disconnect' }, 5));
    const sender = await bench.client('p');
    for (let n = 0; n < 5; n++) await sender.say(publish(`t${n}`, 1));
    const { heard } = await bench.connect('s', { clean: false, ...options });
    expect(heard.flatMap((packet) => (packet.kind === 'publish' ? [packet.topic] : []))).toEqual(['t0', 't1', 't2']);
    expect(bench.broker.metrics.queueOverflows).toBe(2);
  });

  it('drop QoS 0 for a client that does not read, and hold QoS 1 until it does', async () => {
    const bench = await Bench.started({ limits: { slowBytes: 100 } });
    const client = await bench.client('s');
    await client.say(subscribe('#'));
    client.pipe.bufferedBytes = 101;
    await (await bench.client('p')).say(publish('zero'), publish('one', 1));
    expect(await client.hear()).toEqual([]);
    expect(bench.broker.metrics.messagesDropped).toBe(1);
    client.pipe.drain();
    expect(await client.hear()).toMatchObject([{ kind: 'publish', topic: 'one' }]);
  });

  describe('make publishers rest while a subscriber is behind', () => {
    const behind = async (restMs = 20) => {
      const bench = await Bench.started({ limits: { slowBytes: 100, restMs } });
      const client = await bench.client('s');
      await client.say(subscribe('#'));
      client.pipe.bufferedBytes = 50;
      return { bench, client, sender: await bench.client('p') };
    };

    it('until it has caught up: what came meanwhile is held, and nothing is lost', async () => {
      const { client, sender } = await behind();
      await sender.say(concatBytes(publish('one'), publish('two'), PINGREQ), publish('three'));
      expect(sender.pipe.paused).toBe(true);
      expect(await client.hear()).toMatchObject([{ topic: 'one' }]);
      client.pipe.drain();
      expect(await client.hear()).toMatchObject([{ topic: 'two' }, { topic: 'three' }]);
      expect(await sender.hear()).toEqual([{ kind: 'pingresp' }]);
      expect(sender.pipe.paused).toBe(false);
    });

    it('for a few milliseconds at most, then not again for as long', async () => {
      const { bench, sender } = await behind();
      await sender.say(concatBytes(publish('one'), publish('two'), PINGREQ));
      expect(await sender.hear()).toEqual([]);
      await bench.advance(0.02);
      expect(await sender.hear()).toEqual([{ kind: 'pingresp' }]);
      expect(await sender.say(publish('three'), PINGREQ)).toEqual([{ kind: 'pingresp' }]);
    });

    it('as long as it takes something, and not for one that is stuck: after a second nobody waits for it', async () => {
      const { bench, client, sender } = await behind();
      const rests = async (topic: string, unsent: number): Promise<boolean> => {
        client.pipe.bufferedBytes = unsent;
        const heard = await sender.say(publish(topic), PINGREQ);
        await bench.advance(0.6);
        await sender.hear();
        return heard.length === 0;
      };
      expect(await rests('taken', 50)).toBe(true);
      expect(await rests('taken', 50)).toBe(true);
      expect(await rests('taken', 50)).toBe(true);
      const size = publish('stuck').length;
      expect(await rests('stuck', 50 + size)).toBe(true);
      expect(await rests('stuck', 50 + 2 * size)).toBe(false);
    });

    it('when its queue of QoS 1 fills, and whoever is cut or leaves meanwhile is gone', async () => {
      const bench = await Bench.started({ limits: { maxQueuedMessages: 4, maxInflight: 1 } });
      const client = await bench.client('s');
      await client.say(subscribe('#'));
      const sender = await bench.client('p');
      const other = await bench.client('o');
      const three = concatBytes(...[1, 2, 3].map(() => publish('t', 1)));
      await sender.say(three);
      await other.say(three);
      expect([sender.pipe.paused, other.pipe.paused]).toEqual([true, true]);
      sender.pipe.drop();
      client.pipe.drop();
      await bench.advance(1);
      expect(await other.say(PINGREQ)).toContainEqual({ kind: 'pingresp' });
      expect(bench.broker.gauges().connections).toBe(1);
    });

    it('never when told so', async () => {
      const { sender } = await behind(0);
      expect(await sender.say(publish('one'), publish('two'), PINGREQ)).toEqual([{ kind: 'pingresp' }]);
    });
  });

  it('go on sending a long queue turn by turn when the transport never fills', async () => {
    const bench = await Bench.started({ limits: { slowBytes: 50 } });
    const client = await bench.client('s');
    await client.say(subscribe('#'));
    const sender = await bench.client('p');
    await sender.say(...Array.from({ length: 20 }, (_, n) => publish(`topic/${n}`, 1)));
    const heard = [...(await client.hear()), ...(await client.hear()), ...(await client.hear())];
    expect(heard).toHaveLength(20);
  });

  it('end a client that asks without reading the answers', async () => {
    const bench = await Bench.started({ limits: { maxBufferedBytes: 1000 } });
    const client = await bench.client('a');
    client.pipe.bufferedBytes = 1001;
    await client.say(PINGREQ);
    expect(client.closed).toBe(true);
    expect(bench.broker.metrics.slowConsumersClosed).toBe(1);
  });

  it('hold what comes before CONNACK', async () => {
    const bench = await Bench.started({ limits: { maxEarlyBytes: 10 } });
    let admit = (): void => undefined;
    bench.admit = ({ clientId }) =>
      new Promise((resolve) => {
        admit = () => resolve({ kind: 'admitted', principal: bench.principal(clientId) });
      });
    const client = bench.open();
    await client.say(encodeConnect(connectPacket('a')), publish('t'), publish('t'), publish('t'), PINGREQ);
    expect(client.pipe.paused).toBe(true);
    admit();
    expect((await client.hear()).map((packet) => packet.kind)).toEqual(['connack', 'pingresp']);
    expect(bench.broker.metrics.publishesReceived).toBe(3);
  });

  it('refuse a CONNECT that announces more than a stranger may send (CVE-2017-7651)', async () => {
    const bench = await Bench.started();
    const client = bench.open();
    expect(await client.say(Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0x7f))).toEqual([]);
    expect(client.closed).toBe(true);
  });

  it('let a client identifier of 65,535 bytes reach the authenticator, which refuses it', async () => {
    const bench = await Bench.started();
    bench.admit = ({ clientId }) =>
      Promise.resolve(
        clientId.length > 128
          ? { kind: 'refused', returnCode: 2, reason: 0x85 }
          : { kind: 'admitted', principal: bench.principal(clientId) },
      );
    expect((await bench.connect('a'.repeat(65_535))).heard).toMatchObject([{ kind: 'connack', reason: 0x85 }]);
  });

  it('hold the number of connections and of retained messages', async () => {
    const bench = await Bench.started({ limits: { maxConnections: 2, maxRetainedMessages: 1 } });
    const client = await bench.client('a');
    await bench.client('b');
    expect(bench.open().closed).toBe(true);
    const retained = (topic: string) => encodePublish({ topic, payload: X, qos: 1, packetId: 1, retain: true }, 5);
    expect(await client.say(retained('one'), retained('one'), retained('two'))).toMatchObject([
      { reason: 0x10 },
      { reason: 0x10 },
      { reason: 0x97 },
    ]);
  });

  const retained = (topic: string, payload = X, properties: { messageExpiryInterval?: number } = {}) =>
    encodePublish({ topic, payload, qos: 1, packetId: 1, retain: true, properties }, 5);

  it('let one client retain its share and another one its own', async () => {
    const bench = await Bench.started({ limits: { maxRetainedPerSession: 2, maxRetainedBytesPerSession: 100 } });
    const greedy = await bench.client('a');
    expect(await greedy.say(retained('a/1'), retained('a/2'), retained('a/3'))).toMatchObject([
      { reason: 0x10 },
      { reason: 0x10 },
      { reason: 0x97 },
    ]);
    expect(await (await bench.client('b')).say(retained('b/1'))).toMatchObject([{ reason: 0x10 }]);
    expect(await greedy.say(retained('a/1', new Uint8Array(99)))).toMatchObject([{ reason: 0x97 }]);
    expect(await greedy.say(retained('a/1', new Uint8Array(0)), retained('a/3'))).toMatchObject([
      { reason: 0x10 },
      { reason: 0x10 },
    ]);
  });

  it('take what replaces a retained message of the same size at the limit', async () => {
    const bench = await Bench.started({ limits: { maxRetainedBytes: 60 } });
    const client = await bench.client('a');
    const forty = new Uint8Array(40).fill(1);
    expect(await client.say(retained('one', forty), retained('one', forty), retained('two', forty))).toMatchObject([
      { reason: 0x10 },
      { reason: 0x10 },
      { reason: 0x97 },
    ]);
  });

  it('make room of retained messages whose time is over', async () => {
    const bench = await Bench.started({ limits: { maxRetainedMessages: 1 } });
    const client = await bench.client('a');
    await client.say(retained('one', X, { messageExpiryInterval: 5 }));
    expect(await client.say(retained('two'))).toMatchObject([{ reason: 0x97 }]);
    await bench.advance(20);
    expect(await client.say(retained('two'))).toMatchObject([{ reason: 0x10 }]);
    expect(bench.broker.gauges().retainedMessages).toBe(1);
  });

  it('hold the number of sessions that are not connected', async () => {
    const bench = await Bench.started({ limits: { maxOfflineSessions: 1 } });
    for (const name of ['a', 'b']) {
      (await bench.client(name, { properties: { sessionExpiryInterval: 100 } })).pipe.drop();
    }
    expect(bench.broker.gauges()).toMatchObject({ sessions: 1, offlineSessions: 1 });
  });
});

describe('profiles', () => {
  it.each([
    ['a/b/c/d/e/f/g/h', true],
    ['a/b/c/d/e/f/g/h/i', false],
    ['$aws/rules/my-rule/a/b/c/d/e/f/g/h', true],
    ['$aws/things/thing/shadow/name/shadow/update/delta', true],
    ['x'.repeat(256), true],
    ['ä'.repeat(129), false],
  ])('of AWS judges the size of %s: %s', (topic, fits) => {
    expect(fitsTopicLimits(AWS_PROFILE, topic)).toBe(fits);
  });

  it.each([
    [0, 1200, 0],
    [6, 30, 6],
    [600, 600, 600],
    [65_535, 1200, 65_535],
  ])('take a keep-alive of %i s as %i s at AWS and %i s by the standard', (asked, aws, standard) => {
    expect(keepAliveInForce(AWS_PROFILE, asked)).toBe(aws);
    expect(keepAliveInForce(MQTT_PROFILE, asked)).toBe(standard);
  });
});

describe('the life of a connection', () => {
  it.each([
    ['greeting', { connect: 'admitting', admit: undefined, end: 'ended' }],
    ['admitting', { connect: undefined, admit: 'active', end: 'ended' }],
    ['active', { connect: undefined, admit: undefined, end: 'ended' }],
    ['ended', { connect: undefined, admit: undefined, end: undefined }],
  ] as const)('goes from %s only where the table says', (state, next) => {
    for (const event of ['connect', 'admit', 'end'] as const) {
      expect(CONNECTION_LIFE.next(state, event)).toBe(next[event]);
    }
  });
});

describe('hostile bytes', () => {
  const properties = { userProperties: [['a', 'b']], topicAlias: 1 } as const;
  const seeds = (version: MqttVersion): Uint8Array[] => [
    encodePublish({ topic: 'a/b', payload: X, ...(version === 5 ? { properties } : {}) }, version),
    encodePublish({ topic: 'a/b', payload: X, qos: 1, packetId: 1, retain: true }, version),
    encodePublish({ topic: 'a/b', payload: X, qos: 2, packetId: 2 }, version),
    encodeAck({ kind: 'puback', packetId: 1 }, version),
    encodeAck({ kind: 'pubrec', packetId: 1 }, version),
    encodeAck({ kind: 'pubrel', packetId: 2 }, version),
    encodeAck({ kind: 'pubcomp', packetId: 1 }, version),
    encodeSubscribe({ packetId: 3, subscriptions: [{ text: 'a/#', qos: 2 }] }, version),
    encodeSubscribe({ packetId: 3, subscriptions: [{ text: '$share/g/+/b', qos: 1 }] }, version),
    encodeUnsubscribe({ packetId: 4, filters: ['a/#'] }, version),
    encodeReasonPacket({ kind: 'disconnect', reason: 4 }, version),
    PINGREQ,
    encodeConnect(connectPacket('x', { version })),
  ];
  const change = fc.record({ seed: fc.nat(100), at: fc.nat(40), byte: fc.option(fc.nat(255)), cut: fc.nat(40) });

  it('never throw, never reach another session, and leave the core serving', async () => {
    const bench = await Bench.started();
    const watcher = await bench.client('watcher', { keepAlive: 0 });
    await watcher.say(subscribe('private/#'));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<MqttVersion>(4, 5),
        fc.boolean(),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        async (version, greeted, changes) => {
          const chunks = changes.map(({ seed, at, byte, cut }) => {
            const all = seeds(version);
            const bytes = concatBytes(all[seed % all.length] ?? X);
            if (byte !== null) bytes[at % bytes.length] = byte;
            return cut < bytes.length && cut > 30 ? bytes.subarray(0, cut) : bytes;
          });
          const client = bench.open(version);
          if (greeted) client.pipe.send(encodeConnect(connectPacket('fuzz', { version })));
          await bench.settle();
          for (const chunk of chunks) client.pipe.send(chunk);
          await bench.settle();
          client.pipe.drop();
          expect(bench.broker.gauges().connections).toBe(1);
        },
      ),
      { numRuns: 1500 },
    );
    expect(await watcher.say(PINGREQ)).toEqual([{ kind: 'pingresp' }]);
  });
});
