import { decodeHex, encodeUtf8 } from '@holdfast/kernel';
import {
  encodeAck,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  type MqttPacket,
  type MqttVersion,
  type PublishPacket,
  type Qos,
  type SubscribeEntry,
} from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { Bench, type ConnectOptions, type TestClient } from './testing/test-core.ts';

type PublishOptions = Partial<Parameters<typeof encodePublish>[0]>;

const X = encodeUtf8('x');
const hex = (text: string) => decodeHex(text.replaceAll(' ', ''));
const GOODBYE = encodeReasonPacket({ kind: 'disconnect' }, 5);

function publish(topic: string, options: PublishOptions = {}, version: MqttVersion = 5): Uint8Array {
  const packetId = options.packetId ?? ((options.qos ?? 0) > 0 ? 1 : 0);
  return encodePublish({ topic, payload: X, ...options, packetId }, version);
}

function published(packets: readonly MqttPacket[]): PublishPacket[] {
  return packets.filter((packet) => packet.kind === 'publish');
}

const ack = (
  kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
  packetId: number,
  reason = 0,
  version: MqttVersion = 5,
) => encodeAck({ kind, packetId, reason }, version);

async function subscriber(
  bench: Bench,
  name: string,
  entries: readonly SubscribeEntry[],
  options: ConnectOptions = {},
): Promise<TestClient> {
  const client = await bench.client(name, options);
  await client.say(encodeSubscribe({ packetId: 1, subscriptions: entries }, options.version ?? 5));
  return client;
}

describe('PUBLISH', () => {
  it.each([4, 5] as const)(
    'reaches subscribers at the lower QoS of both, version %i [MQTT-3.8.4-8]',
    async (version) => {
      for (const granted of [0, 1, 2] as const) {
        for (const sent of [0, 1, 2] as const) {
          const bench = await Bench.started();
          const client = await subscriber(bench, 's', [{ text: 't', qos: granted }], { version });
          const sender = await bench.client('p', { version });
          await sender.say(publish('t', { qos: sent }, version), ack('pubrel', 1, 0, version));
          const heard = published(await client.hear());
          expect(heard).toMatchObject([{ topic: 't', qos: Math.min(granted, sent), dup: false }]);
          expect(heard[0]?.payload).toEqual(X);
        }
      }
    },
  );

  it('crosses the versions with what each can say', async () => {
    const bench = await Bench.started();
    const old = await subscriber(bench, 'old', [{ text: 't', qos: 1 }], { version: 4 });
    const young = await subscriber(bench, 'young', [{ text: 't', qos: 1 }]);
    const five = await bench.client('five');
    await five.say(publish('t', { qos: 1, properties: { contentType: 'c', userProperties: [['a', 'b']] } }));
    expect(published(await old.hear())).toMatchObject([{ topic: 't', properties: {} }]);
    expect(published(await young.hear())).toMatchObject([{ properties: { contentType: 'c' } }]);
    const four = await bench.client('four', { version: 4 });
    await four.say(publish('t', { qos: 1 }, 4));
    expect(published(await young.hear())).toMatchObject([{ topic: 't', properties: {} }]);
  });

  it('passes properties on unaltered and user properties in order [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: 't', qos: 0 }]);
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answers/1',
      correlationData: hex('0001ff'),
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '1'],
      ],
    } as const;
    const sender = await bench.client('p');
    await sender.say(publish('t', { properties }));
    expect(published(await client.hear())[0]?.properties).toEqual(properties);
  });

  it.each([
    ['QoS 3 [MQTT-3.3.1-4]', '36 06 0001 74 0001 00', 0x81],
    ['DUP at QoS 0 [MQTT-3.3.1-2]', '38 04 0001 74 00', 0x81],
    ['a wildcard in the topic [MQTT-3.3.2-2]', '30 04 0001 23 00', 0x81],
    ['U+0000 in the topic [MQTT-1.5.4-2]', '30 04 0001 00 00', 0x81],
    ['a surrogate in the topic [MQTT-1.5.4-1]', '30 06 0003 EDA080 00', 0x81],
    ['packet identifier 0', '32 06 0001 74 0000 00', 0x82],
    ['no topic and no alias', '30 03 0000 00', 0x82],
    ['topic alias 0 [MQTT-3.3.2-8]', '30 07 0001 74 03 230000', 0x82],
    ['an alias over the maximum of the server', '30 07 0001 74 03 23000B', 0x94],
    ['an alias nobody gave', '30 06 0000 03 230001', 0x82],
    ['a subscription identifier [MQTT-3.3.4-6]', '30 06 0001 74 02 0B01', 0x82],
    ['a response topic with a wildcard [MQTT-3.3.2-14]', '30 08 0001 74 04 08000123', 0x82],
    ['a payload format of 2', '30 06 0001 74 02 0102', 0x82],
  ])('with %s ends the connection', async (_name, bytes, reason) => {
    const bench = await Bench.started();
    const client = await bench.client('a');
    expect(await client.say(hex(bytes))).toMatchObject([{ kind: 'disconnect', reason }]);
    expect(client.closed).toBe(true);
  });

  it('larger than the maximum packet size is answered with 0x95 at its first bytes', async () => {
    const bench = await Bench.started({ limits: { maxPacketBytes: 100 } });
    const client = await bench.client('a');
    expect(await client.say(hex('30 65'))).toMatchObject([{ kind: 'disconnect', reason: 0x95 }]);
  });

  it('understands topic aliases of the client, which end with the connection [MQTT-3.3.2-7] [MQTT-3.3.2-12]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 0 }]);
    const sender = await bench.client('p');
    const alias = (topic: string, topicAlias: number) => publish(topic, { properties: { topicAlias } });
    await sender.say(alias('a', 10), alias('', 10), alias('b', 10), alias('', 10));
    expect(published(await client.hear()).map(({ topic }) => topic)).toEqual(['a', 'a', 'b', 'b']);
    await sender.say(GOODBYE);
    const again = await bench.client('p', { clean: false });
    expect(await again.say(alias('', 10))).toMatchObject([{ kind: 'disconnect', reason: 0x82 }]);
  });

  it('carries topic aliases of the server within the maximum of the client [MQTT-3.1.2-26] [MQTT-3.3.2-11]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], { properties: { topicAliasMaximum: 1 } });
    const sender = await bench.client('p');
    await sender.say(publish('a'), publish('a', { qos: 1 }), publish('b'), publish('a'));
    const heard = published(await client.hear());
    expect(heard.map(({ topic }) => topic)).toEqual(['a', '', 'b', '']);
    expect(heard.map(({ properties }) => properties.topicAlias)).toEqual([1, 1, undefined, 1]);
  });

  it('is dropped for a client that takes no packet so large [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
    const bench = await Bench.started();
    const options = { properties: { maximumPacketSize: 40, topicAliasMaximum: 5 } };
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], options);
    const sender = await bench.client('p');
    await sender.say(publish('t', { qos: 1, payload: new Uint8Array(100) }), publish('t', { qos: 1 }));
    expect(published(await client.hear())).toMatchObject([{ topic: 't', payload: X }]);
  });

  it('tells the life that is left of it, and is not sent when none is [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    const bench = await Bench.started();
    const persistent = { properties: { sessionExpiryInterval: 100 } };
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], persistent);
    await client.say(GOODBYE);
    const sender = await bench.client('p', { keepAlive: 0 });
    await sender.say(
      publish('short', { qos: 1, properties: { messageExpiryInterval: 2 } }),
      publish('long', { qos: 1, packetId: 2, properties: { messageExpiryInterval: 10 } }),
    );
    await bench.advance(4);
    const { heard } = await bench.connect('s', { clean: false, ...persistent });
    expect(published(heard)).toMatchObject([{ topic: 'long', properties: { messageExpiryInterval: 6 } }]);
  });

  it('tells the publisher that nobody subscribed', async () => {
    const bench = await Bench.started();
    const sender = await bench.client('p');
    expect(await sender.say(publish('t', { qos: 1 }))).toMatchObject([{ kind: 'puback', reason: 0x10 }]);
  });

  it('over the receive maximum ends the connection with 0x93', async () => {
    const bench = await Bench.started({ limits: { receiveMaximum: 2 } });
    const sender = await bench.client('p');
    const two = (packetId: number) => publish('t', { qos: 2, packetId });
    expect(await sender.say(two(1), two(2), two(2))).toMatchObject([{ kind: 'pubrec' }, {}, { packetId: 2 }]);
    expect(await sender.say(ack('pubrel', 1), two(3))).toMatchObject([{ kind: 'pubcomp' }, { kind: 'pubrec' }]);
    expect(await sender.say(two(4))).toMatchObject([{ kind: 'disconnect', reason: 0x93 }]);
  });

  it('at QoS 2 from MQTT 3.1.1 cannot pile up without end (CVE-2023-28366)', async () => {
    const bench = await Bench.started({ limits: { maxUnreleased: 5 } });
    const sender = await bench.client('p', { version: 4 });
    for (let packetId = 1; packetId <= 6; packetId++) await sender.say(publish('t', { qos: 2, packetId }, 4));
    expect(sender.closed).toBe(true);
  });
});

describe('QoS 1', () => {
  it('is acknowledged with the identifier it came with [MQTT-4.3.2-4]', async () => {
    const bench = await Bench.started();
    const sender = await bench.client('p', { version: 4 });
    expect(await sender.say(publish('t', { qos: 1, packetId: 513 }, 4))).toMatchObject([
      { kind: 'puback', packetId: 513 },
    ]);
  });

  it('is sent again on the next connection, same identifier, DUP set [MQTT-4.4.0-1] [MQTT-3.3.1-1]', async () => {
    const bench = await Bench.started();
    const persistent = { properties: { sessionExpiryInterval: 100 } };
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], persistent);
    const sender = await bench.client('p');
    await sender.say(publish('a', { qos: 1 }), publish('b', { qos: 1, packetId: 2 }));
    const first = published(await client.hear());
    await client.say(ack('puback', first[0]?.packetId ?? 0));
    client.pipe.drop();
    const { heard } = await bench.connect('s', { clean: false, ...persistent });
    expect(published(heard)).toMatchObject([{ topic: 'b', dup: true, packetId: first[1]?.packetId }]);
  });

  it('keeps to the receive maximum of the client [MQTT-3.3.4-9] [MQTT-4.9.0-2]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], { properties: { receiveMaximum: 2 } });
    const sender = await bench.client('p');
    for (let n = 1; n <= 5; n++) await sender.say(publish(`t${n}`, { qos: 1 }));
    const heard = published(await client.hear());
    expect(heard.map(({ topic }) => topic)).toEqual(['t1', 't2']);
    const more = published(await client.say(ack('puback', heard[0]?.packetId ?? 0)));
    expect(more.map(({ topic }) => topic)).toEqual(['t3']);
  });

  it('does not count QoS 0 against the receive maximum [MQTT-4.9.0-3]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], { properties: { receiveMaximum: 1 } });
    const sender = await bench.client('p');
    await sender.say(publish('one', { qos: 1 }), publish('two', { qos: 1, packetId: 2 }), publish('zero'));
    expect(published(await client.hear()).map(({ topic }) => topic)).toEqual(['one', 'zero']);
  });

  it('keeps the order of each publisher [MQTT-4.6.0-5] [MQTT-4.6.0-6]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 1 }], { properties: { receiveMaximum: 3 } });
    const sender = await bench.client('p');
    const wanted: string[] = [];
    for (let n = 1; n <= 20; n++) {
      wanted.push(`t${n}`);
      await sender.say(publish(`t${n}`, { qos: 1 }));
    }
    const seen: string[] = [];
    for (let heard = published(await client.hear()); heard.length > 0; ) {
      seen.push(...heard.map(({ topic }) => topic));
      heard = published(await client.say(...heard.map(({ packetId }) => ack('puback', packetId))));
    }
    expect(seen).toEqual(wanted);
  });
});

describe('QoS 2', () => {
  it('runs PUBLISH, PUBREC, PUBREL, PUBCOMP and delivers once [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 0 }]);
    const sender = await bench.client('p');
    expect(await sender.say(publish('t', { qos: 2 }))).toMatchObject([{ kind: 'pubrec', packetId: 1 }]);
    expect(await sender.say(publish('t', { qos: 2, dup: true }))).toMatchObject([{ kind: 'pubrec', packetId: 1 }]);
    expect(await sender.say(ack('pubrel', 1))).toMatchObject([{ kind: 'pubcomp', packetId: 1 }]);
    expect(await sender.say(ack('pubrel', 1))).toMatchObject([{ kind: 'pubcomp', packetId: 1 }]);
    expect(published(await client.hear())).toHaveLength(1);
  });

  it('runs the other way [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos: 2 }]);
    await (await bench.client('p')).say(publish('t', { qos: 2 }), ack('pubrel', 1));
    const [message] = published(await client.hear());
    const packetId = message?.packetId ?? 0;
    expect(await client.say(ack('pubrec', packetId))).toMatchObject([{ kind: 'pubrel', packetId }]);
    expect(await client.say(ack('pubrec', packetId))).toMatchObject([{ kind: 'pubrel', packetId }]);
    expect(await client.say(ack('pubcomp', packetId))).toEqual([]);
  });

  it('ends at a PUBREC that refuses [MQTT-4.3.3-4]', async () => {
    const bench = await Bench.started();
    const options = { properties: { receiveMaximum: 1 } };
    const client = await subscriber(bench, 's', [{ text: '#', qos: 2 }], options);
    const sender = await bench.client('p');
    await sender.say(publish('a', { qos: 2 }), ack('pubrel', 1), publish('b', { qos: 2 }), ack('pubrel', 1));
    const [first] = published(await client.hear());
    expect(published(await client.say(ack('pubrec', first?.packetId ?? 0, 0x80)))).toMatchObject([{ topic: 'b' }]);
  });

  it.each([
    ['PUBACK', 2, 'puback'],
    ['PUBCOMP before PUBREC', 2, 'pubcomp'],
    ['PUBREC for QoS 1', 1, 'pubrec'],
    ['PUBCOMP for QoS 1', 1, 'pubcomp'],
  ] as const)('does not take %s', async (_name, qos, kind) => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: '#', qos }]);
    await (await bench.client('p')).say(publish('t', { qos }), ack('pubrel', 1));
    const [message] = published(await client.hear());
    expect(await client.say(ack(kind, message?.packetId ?? 0))).toMatchObject([{ kind: 'disconnect', reason: 0x82 }]);
  });

  it('goes on after a reconnect from where it was, both ways [MQTT-4.4.0-1]', async () => {
    const bench = await Bench.started();
    const persistent = { properties: { sessionExpiryInterval: 100 } };
    const client = await subscriber(bench, 's', [{ text: '#', qos: 2 }], persistent);
    const sender = await bench.client('p', persistent);
    await sender.say(publish('t', { qos: 2 }));
    sender.pipe.drop();
    const again = await bench.connect('p', { clean: false, ...persistent });
    await again.client.say(publish('t', { qos: 2, dup: true }), ack('pubrel', 1));
    const [message] = published(await client.hear());
    await client.say(ack('pubrec', message?.packetId ?? 0));
    client.pipe.drop();
    const { client: back, heard } = await bench.connect('s', { clean: false, ...persistent });
    expect(heard).toMatchObject([{ kind: 'connack' }, { kind: 'pubrel', packetId: message?.packetId }]);
    expect(await back.say(ack('pubcomp', message?.packetId ?? 0))).toEqual([]);
  });
});

describe('retained messages', () => {
  const retain = { retain: true } as const;

  it('replace the one before and answer a subscription with RETAIN set [MQTT-3.3.1-5]', async () => {
    const bench = await Bench.started();
    const sender = await bench.client('p');
    await sender.say(publish('t', retain), publish('t', { ...retain, payload: encodeUtf8('new') }));
    const client = await bench.client('s');
    const heard = await client.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text: 't', qos: 1 }] }, 5));
    expect(heard).toMatchObject([{ kind: 'suback' }, { topic: 't', retain: true, payload: encodeUtf8('new') }]);
  });

  it('go away with an empty payload, which is itself delivered [MQTT-3.3.1-6] [MQTT-3.3.1-7]', async () => {
    const bench = await Bench.started();
    const client = await subscriber(bench, 's', [{ text: 't', qos: 0 }]);
    const sender = await bench.client('p');
    await sender.say(publish('t', retain), publish('t', { ...retain, payload: new Uint8Array(0) }));
    expect(published(await client.hear())).toMatchObject([{ payload: X }, { payload: new Uint8Array(0) }]);
    expect(
      published(await client.say(encodeSubscribe({ packetId: 2, subscriptions: [{ text: '#', qos: 0 }] }, 5))),
    ).toEqual([]);
    expect(bench.broker.gauges().retainedMessages).toBe(0);
  });

  it('are not touched by a message without RETAIN [MQTT-3.3.1-8]', async () => {
    const bench = await Bench.started();
    const sender = await bench.client('p');
    await sender.say(publish('t', retain), publish('t', { payload: encodeUtf8('live') }));
    const client = await bench.client('s');
    const heard = await client.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text: 't', qos: 0 }] }, 5));
    expect(published(heard)).toMatchObject([{ payload: X }]);
  });

  it('come live without RETAIN, unless Retain As Published asks [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
    const bench = await Bench.started();
    const plain = await subscriber(bench, 'plain', [{ text: 't', qos: 0 }]);
    const asking = await subscriber(bench, 'asking', [{ text: 't', qos: 0, retainAsPublished: true }]);
    await (await bench.client('p')).say(publish('t', retain), publish('t'));
    expect(published(await plain.hear()).map((message) => message.retain)).toEqual([false, false]);
    expect(published(await asking.hear()).map((message) => message.retain)).toEqual([true, false]);
  });

  it.each([
    [0, [1, 1]],
    [1, [1, 0]],
    [2, [0, 0]],
  ] as const)(
    'answer as Retain Handling %i says [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]',
    async (retainHandling, counts) => {
      const bench = await Bench.started();
      await (await bench.client('p')).say(publish('t', retain));
      const client = await bench.client('s');
      const packet = encodeSubscribe({ packetId: 1, subscriptions: [{ text: 't', qos: 0, retainHandling }] }, 5);
      const got = [published(await client.say(packet)).length, published(await client.say(packet)).length];
      expect(got).toEqual(counts);
    },
  );

  it('keep their QoS, expire, and do not answer shared subscriptions', async () => {
    const bench = await Bench.started();
    const sender = await bench.client('p', { keepAlive: 0 });
    await sender.say(publish('keep', { ...retain, qos: 1 }));
    await sender.say(publish('expire', { ...retain, properties: { messageExpiryInterval: 5 } }));
    await bench.advance(6);
    const client = await bench.client('s');
    const heard = published(
      await client.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text: '#', qos: 2 }] }, 5)),
    );
    expect(heard).toMatchObject([{ topic: 'keep', qos: 1 as Qos }]);
    const shared = encodeSubscribe({ packetId: 2, subscriptions: [{ text: '$share/g/#', qos: 2 }] }, 5);
    expect(published(await client.say(shared))).toEqual([]);
  });
});
