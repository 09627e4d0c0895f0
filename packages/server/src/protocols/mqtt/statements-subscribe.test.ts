import { decodeHex, encodeUtf8 } from '@holdfast/kernel';
import {
  encodeAck,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  encodeUnsubscribe,
  type MqttPacket,
  type PublishPacket,
  type SubscribeEntry,
} from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { AWS_PROFILE } from './profiles.ts';
import { Bench, type TestClient } from './testing/test-core.ts';

const hex = (text: string) => decodeHex(text.replaceAll(' ', ''));
const GOODBYE = encodeReasonPacket({ kind: 'disconnect' }, 5);

function published(packets: readonly MqttPacket[]): PublishPacket[] {
  return packets.filter((packet) => packet.kind === 'publish');
}

function subscribe(entries: readonly SubscribeEntry[], subscriptionId?: number): Uint8Array {
  const properties = subscriptionId === undefined ? {} : { subscriptionIdentifiers: [subscriptionId] };
  return encodeSubscribe({ packetId: 7, subscriptions: entries, properties }, 5);
}

function publish(topic: string, qos: 0 | 1 | 2 = 0): Uint8Array {
  return encodePublish({ topic, payload: encodeUtf8('x'), qos, packetId: qos === 0 ? 0 : 9 }, 5);
}

async function topicsOf(client: TestClient): Promise<string[]> {
  return published(await client.hear()).map(({ topic }) => topic);
}

describe('SUBSCRIBE', () => {
  it('is answered with its identifier and one reason per filter [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-6]', async () => {
    const bench = await Bench.started();
    bench.principal('s').subscribes = (filter) => filter !== 'no';
    const client = await bench.client('s');
    const entries = [
      { text: 'a', qos: 0 },
      { text: 'no', qos: 1 },
      { text: 'b', qos: 2 },
    ] as const;
    expect(await client.say(subscribe(entries))).toMatchObject([
      { kind: 'suback', packetId: 7, reasons: [0, 0x87, 2] },
    ]);
    expect(bench.principal('s').violations).toEqual([['subscribe', 'no']]);
    bench.principal('old').subscribes = (filter) => filter !== 'no';
    const old = await bench.client('old', { version: 4 });
    expect(await old.say(encodeSubscribe({ packetId: 8, subscriptions: entries }, 4))).toMatchObject([
      { kind: 'suback', packetId: 8, reasons: [0, 0x80, 2] },
    ]);
  });

  it.each([
    ['wrong flags [MQTT-3.8.1-1]', '80 07 0001 00 0001 74 00', 0x81],
    ['no filter [MQTT-3.8.3-2]', '82 03 0001 00', 0x81],
    ['reserved option bits [MQTT-3.8.3-5]', '82 07 0001 00 0001 74 80', 0x81],
    ['QoS 3', '82 07 0001 00 0001 74 03', 0x81],
    ['retain handling 3', '82 07 0001 00 0001 74 30', 0x81],
    ['a filter that is not UTF-8 [MQTT-3.8.3-1]', '82 07 0001 00 0001 80 00', 0x81],
    ['an empty filter [MQTT-4.7.3-1]', '82 06 0001 00 0000 00', 0x81],
    ['a misplaced wildcard [MQTT-4.7.1-1]', '82 08 0001 00 0002 6123 00', 0x81],
    ['packet identifier 0', '82 07 0000 00 0001 74 00', 0x81],
    ['No Local on a shared subscription [MQTT-3.8.3-4]', '82 10 0001 00 000A 2473686172652F672F74 04', 0x82],
    ['a share name with a wildcard [MQTT-4.8.2-2]', '82 10 0001 00 000A 2473686172652F2B2F74 00', 0x82],
    ['two subscription identifiers', '82 0B 0001 04 0B010B02 0001 74 00', 0x82],
  ])('with %s ends the connection', async (_name, bytes, reason) => {
    const bench = await Bench.started();
    const client = await bench.client('a');
    expect(await client.say(hex(bytes))).toMatchObject([{ kind: 'disconnect', reason }]);
  });

  it('replaces a subscription to the same filter [MQTT-3.8.4-3]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    await client.say(subscribe([{ text: 't', qos: 2 }], 1), subscribe([{ text: 't', qos: 1 }], 2));
    await (await bench.client('p')).say(publish('t', 2), encodeAck({ kind: 'pubrel', packetId: 9 }, 5));
    expect(published(await client.hear())).toMatchObject([{ qos: 1, properties: { subscriptionIdentifiers: [2] } }]);
  });

  it('that overlaps gives one copy at the highest QoS with every identifier [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    await client.say(
      subscribe([{ text: 'a/#', qos: 2 }], 5),
      subscribe([{ text: 'a/+', qos: 1 }], 6),
      subscribe([{ text: 'a/b', qos: 0 }]),
    );
    await (await bench.client('p')).say(publish('a/b', 2), encodeAck({ kind: 'pubrel', packetId: 9 }, 5));
    const heard = published(await client.hear());
    expect(heard).toMatchObject([{ qos: 2 }]);
    expect(new Set(heard[0]?.properties.subscriptionIdentifiers)).toEqual(new Set([5, 6]));
  });

  it('with No Local gets nothing of its own [MQTT-3.8.3-3]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    const other = await bench.client('o');
    await client.say(subscribe([{ text: 't', qos: 0, noLocal: true }]));
    await other.say(subscribe([{ text: 't', qos: 0 }]));
    await client.say(publish('t'));
    expect(await topicsOf(client)).toEqual([]);
    expect(await topicsOf(other)).toEqual(['t']);
    await client.say(subscribe([{ text: '+', qos: 0 }]), publish('t'));
    await other.say(publish('t'));
    expect(await topicsOf(client)).toEqual(['t']);
  });

  it('with a wildcard does not see topics that begin with $ [MQTT-4.7.2-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    await client.say(
      subscribe([
        { text: '#', qos: 0 },
        { text: '+/x', qos: 0 },
      ]),
    );
    await bench.broker.publish({ realm: 'r', topic: '$SYS/x', payload: encodeUtf8('1') });
    expect(await topicsOf(client)).toEqual([]);
    await client.say(subscribe([{ text: '$SYS/#', qos: 0 }]));
    await bench.broker.publish({ realm: 'r', topic: '$SYS/x', payload: encodeUtf8('1') });
    expect(await topicsOf(client)).toEqual(['$SYS/x']);
  });

  it('is bounded in filters and in size', async () => {
    const bench = await Bench.started({ profile: AWS_PROFILE });
    const client = await bench.client('s');
    const entries = Array.from({ length: 9 }, (_, n) => ({ text: `t${n}`, qos: 0 as const }));
    expect(await client.say(subscribe(entries))).toMatchObject([{ reasons: [0, 0, 0, 0, 0, 0, 0, 0, 0x97] }]);
    for (let round = 1; round < 6; round++) {
      await client.say(subscribe(entries.slice(0, 7).map(({ qos }, n) => ({ text: `u${round * 8 + n}`, qos }))));
    }
    await client.say(subscribe(entries.slice(0, 7).map(({ qos }, n) => ({ text: `v${n}`, qos }))));
    expect(await client.say(subscribe([{ text: 'one-more', qos: 0 }]))).toMatchObject([{ reasons: [0x97] }]);
    expect(await client.say(subscribe([{ text: 'a/b/c/d/e/f/g/h/i', qos: 0 }]))).toMatchObject([{ reasons: [0x8f] }]);
  });
});

describe('UNSUBSCRIBE', () => {
  it('ends exactly the named subscriptions and says what it found [MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.11.3-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    await client.say(
      subscribe([
        { text: 'a', qos: 0 },
        { text: '#', qos: 0 },
        { text: '$share/g/a', qos: 0 },
      ]),
    );
    const heard = await client.say(encodeUnsubscribe({ packetId: 3, filters: ['#', 'b', '$share/g/a'] }, 5));
    expect(heard).toMatchObject([{ kind: 'unsuback', packetId: 3, reasons: [0, 0x11, 0] }]);
    await (await bench.client('p')).say(publish('a'), publish('c'));
    expect(await topicsOf(client)).toEqual(['a']);
  });

  it('leaves what is under way to be completed [MQTT-3.10.4-3]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    await client.say(subscribe([{ text: 'a', qos: 2 }]));
    await (await bench.client('p')).say(publish('a', 2), encodeAck({ kind: 'pubrel', packetId: 9 }, 5));
    const [message] = published(await client.hear());
    await client.say(encodeUnsubscribe({ packetId: 3, filters: ['a'] }, 5));
    const packetId = message?.packetId ?? 0;
    expect(await client.say(encodeAck({ kind: 'pubrec', packetId }, 5))).toMatchObject([{ kind: 'pubrel', packetId }]);
  });

  it.each([
    ['wrong flags [MQTT-3.10.1-1]', 'A0 06 0001 00 0001 74', 0x81],
    ['no filter [MQTT-3.10.3-2]', 'A2 03 0001 00', 0x81],
    ['packet identifier 0', 'A2 06 0000 00 0001 74', 0x81],
  ])('with %s ends the connection', async (_name, bytes, reason) => {
    const bench = await Bench.started();
    const client = await bench.client('a');
    expect(await client.say(hex(bytes))).toMatchObject([{ kind: 'disconnect', reason }]);
  });
});

describe('shared subscriptions', () => {
  it('give each message to one member, in turn [MQTT-4.8.2-3]', async () => {
    const bench = await Bench.started();
    const members = [await bench.client('a'), await bench.client('b')];
    for (const member of members) await member.say(subscribe([{ text: '$share/g/t/#', qos: 1 }]));
    const outside = await bench.client('o');
    await outside.say(
      subscribe([
        { text: 't/#', qos: 0 },
        { text: '$share/h/t/#', qos: 0 },
      ]),
    );
    const sender = await bench.client('p');
    for (let n = 0; n < 6; n++) await sender.say(publish(`t/${n}`));
    const counts = [];
    for (const member of members) counts.push((await topicsOf(member)).length);
    expect(counts).toEqual([3, 3]);
    expect(await topicsOf(outside)).toHaveLength(12);
  });

  it('respect the QoS granted to the member, and prefer members that are there [MQTT-4.8.2-3]', async () => {
    const bench = await Bench.started();
    const persistent = { properties: { sessionExpiryInterval: 100 } };
    const away = await bench.client('away', persistent);
    await away.say(subscribe([{ text: '$share/g/t', qos: 2 }]), GOODBYE);
    const here = await bench.client('here');
    await here.say(subscribe([{ text: '$share/g/t', qos: 0 }]));
    const sender = await bench.client('p');
    await sender.say(publish('t', 1), publish('t', 1));
    expect(published(await here.hear())).toMatchObject([{ qos: 0 }, { qos: 0 }]);
    await here.say(GOODBYE);
    await sender.say(publish('t', 1));
    expect(published((await bench.connect('away', { clean: false })).heard)).toMatchObject([{ topic: 't', qos: 1 }]);
  });

  it('work in MQTT 3.1.1 as they do at AWS', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version: 4 });
    await client.say(encodeSubscribe({ packetId: 1, subscriptions: [{ text: '$share/g/t', qos: 0 }] }, 4));
    await (await bench.client('p')).say(publish('t'));
    expect(await topicsOf(client)).toEqual(['t']);
  });
});

describe('the AWS profile', () => {
  it('tells what it is in CONNACK', async () => {
    const bench = await Bench.started({ profile: AWS_PROFILE });
    expect((await bench.connect('a', { keepAlive: 6 })).heard).toMatchObject([
      {
        properties: {
          maximumQos: 1,
          receiveMaximum: 100,
          maximumPacketSize: 149_504,
          topicAliasMaximum: 8,
          serverKeepAlive: 30,
          subscriptionIdentifierAvailable: 0,
          retainAvailable: 1,
        },
      },
    ]);
    expect((await bench.connect('b', { keepAlive: 0 })).heard).toMatchObject([
      { properties: { serverKeepAlive: 1200 } },
    ]);
  });

  it('refuses QoS 2 with 0x9B and grants at most QoS 1 [MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-12]', async () => {
    const bench = await Bench.started({ profile: AWS_PROFILE });
    const client = await bench.client('a');
    expect(await client.say(subscribe([{ text: 't', qos: 2 }]))).toMatchObject([{ reasons: [1] }]);
    expect(await client.say(publish('t', 2))).toMatchObject([{ kind: 'disconnect', reason: 0x9b }]);
    const willing = { topic: 'w', payload: hex(''), qos: 2 as const, retain: false, properties: {} };
    expect((await bench.connect('b', { will: willing })).heard).toMatchObject([{ kind: 'connack', reason: 0x9b }]);
  });

  it('does not match the parent with #, nor send retained messages to wildcards', async () => {
    const bench = await Bench.started({ profile: AWS_PROFILE });
    const sender = await bench.client('p');
    await sender.say(encodePublish({ topic: 'a/b', payload: encodeUtf8('x'), retain: true }, 5));
    const client = await bench.client('s');
    expect(published(await client.say(subscribe([{ text: 'a/#', qos: 0 }])))).toEqual([]);
    expect(published(await client.say(subscribe([{ text: 'a/b', qos: 0 }])))).toHaveLength(1);
    await sender.say(publish('a'), publish('a/c'));
    expect(await topicsOf(client)).toEqual(['a/c']);
  });

  it('refuses subscription identifiers with 0xA1 and topics over its size with 0x90', async () => {
    const bench = await Bench.started({ profile: AWS_PROFILE });
    const client = await bench.client('a');
    expect(await client.say(publish('a/b/c/d/e/f/g/h/i', 1), publish('x'.repeat(257), 1))).toMatchObject([
      { kind: 'puback', reason: 0x90 },
      { kind: 'puback', reason: 0x90 },
    ]);
    expect(await client.say(subscribe([{ text: 't', qos: 0 }], 1))).toMatchObject([
      { kind: 'disconnect', reason: 0xa1 },
    ]);
  });
});
