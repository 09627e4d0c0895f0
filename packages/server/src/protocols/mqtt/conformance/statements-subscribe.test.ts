// What both versions say of subscriptions. Identifiers of MQTT 5 stand alone, those of MQTT 3.1.1 after its number.
import type { MqttVersion } from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { hex, published, speech, topicsIn } from '../testing/speech.ts';
import { Bench } from '../testing/test-core.ts';

describe.each([4, 5] as const)('subscriptions of version %i', (version: MqttVersion) => {
  const { ack, publish, subscribe, unsubscribe } = speech(version);
  const none = version === 5 ? '00' : '';
  const failure = version === 5 ? 0x87 : 0x80;

  const size = (bytes: number) => (bytes + none.length / 2).toString(16).padStart(2, '0');

  it.each([
    ['SUBSCRIBE with flags 0 [MQTT-3.8.1-1], 3.1.1 [MQTT-3.8.1-1]', `80 ${size(6)} 0001 ${none} 0001 61 00`],
    [
      'SUBSCRIBE with a filter that is not UTF-8 [MQTT-3.8.3-1], 3.1.1 [MQTT-3.8.3-1]',
      `82 ${size(6)} 0001 ${none} 0001 80 00`,
    ],
    ['SUBSCRIBE without filter [MQTT-3.8.3-2], 3.1.1 [MQTT-3.8.3-3]', `82 ${size(2)} 0001 ${none}`],
    ['SUBSCRIBE with reserved bits [MQTT-3.8.3-5], 3.1.1 [MQTT-3.8.3-4]', `82 ${size(6)} 0001 ${none} 0001 61 C0`],
    ['UNSUBSCRIBE with flags 0 [MQTT-3.10.1-1], 3.1.1 [MQTT-3.10.1-1]', `A0 ${size(5)} 0001 ${none} 0001 61`],
    [
      'UNSUBSCRIBE with a filter that is not UTF-8 [MQTT-3.10.3-1], 3.1.1 [MQTT-3.10.3-1]',
      `A2 ${size(5)} 0001 ${none} 0001 80`,
    ],
    ['UNSUBSCRIBE without filter [MQTT-3.10.3-2], 3.1.1 [MQTT-3.10.3-2]', `A2 ${size(2)} 0001 ${none}`],
    ['# that is not the end [MQTT-4.7.1-1], 3.1.1 [MQTT-4.7.1-2]', `82 ${size(8)} 0001 ${none} 0003 232F61 00`],
    ['+ that does not fill its level [MQTT-4.7.1-2], 3.1.1 [MQTT-4.7.1-3]', `82 ${size(7)} 0001 ${none} 0002 612B 00`],
  ])('%s ends the connection', async (_title, bytes) => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(hex(bytes));
    expect(client.closed).toBe(true);
  });

  it('are answered with the identifier and a code for each filter, in order [MQTT-2.2.1-6] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2], 3.1.1 [MQTT-2.3.1-7] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2]', async () => {
    const bench = await Bench.started();
    bench.principal('s').subscribes = (filter) => filter !== 'no';
    const client = await bench.client('s', { version });
    const bytes = subscribe([
      { text: 'a', qos: 2 },
      { text: 'no', qos: 1 },
      { text: 'b', qos: 0 },
      { text: 'c', qos: 1 },
    ]);
    bytes[2] = 0x12;
    expect(await client.say(bytes)).toMatchObject([{ kind: 'suback', packetId: 0x1201, reasons: [2, failure, 0, 1] }]);
  });

  it('of several filters are as several packets with one answer [MQTT-3.8.4-5] [MQTT-3.10.4-6], 3.1.1 [MQTT-3.8.4-4] [MQTT-3.10.4-6]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    const heard = await client.say(
      subscribe([
        { text: 'a', qos: 0 },
        { text: 'b', qos: 0 },
        { text: 'a', qos: 1 },
      ]),
    );
    expect(heard).toMatchObject([{ kind: 'suback', reasons: [0, 0, 1] }]);
    const from = await bench.client('p', { version });
    await from.say(publish('a', { qos: 1 }), publish('b', { qos: 1, packetId: 2 }));
    expect(published(await client.hear())).toMatchObject([
      { topic: 'a', qos: 1 },
      { topic: 'b', qos: 0 },
    ]);
    expect(await client.say(unsubscribe('a', 'b', 'c'))).toMatchObject([{ kind: 'unsuback' }]);
    await from.say(publish('a'), publish('b'));
    expect(await client.hear()).toEqual([]);
  });

  it('bring what matches, at the lower of both QoS [MQTT-3.3.2-3] [MQTT-3.8.4-8], 3.1.1 [MQTT-3.3.2-3] [MQTT-3.8.4-6]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('a/+/c', 1));
    const from = await bench.client('p', { version });
    for (const topic of ['a/b/c', 'a/b', 'a/b/c/d', 'a/b/d', 'b/b/c'])
      await from.say(publish(topic, { qos: 2 }), ack('pubrel'));
    expect(published(await client.hear())).toMatchObject([{ topic: 'a/b/c', qos: 1 }]);
  });

  it('to the same filter replace one another and bring retained messages again [MQTT-3.8.4-3] [MQTT-3.8.4-4], 3.1.1 [MQTT-3.8.4-3]', async () => {
    const bench = await Bench.started();
    const from = await bench.client('p', { version });
    await from.say(publish('a', { retain: true, qos: 1 }));
    const client = await bench.client('s', { version });
    const first = published(await client.say(subscribe('a', 1)));
    const second = published(await client.say(publish('a', { qos: 1, packetId: 5 }), subscribe('a', 0)));
    expect(first).toMatchObject([{ qos: 1, retain: true }]);
    expect(second).toMatchObject([
      { qos: 1, retain: false },
      { qos: 0, retain: true },
    ]);
    await from.say(publish('a', { qos: 1 }));
    expect(published(await client.hear())).toMatchObject([{ qos: 0 }]);
  });

  it('that overlap deliver at the highest QoS of them [MQTT-3.3.4-2], 3.1.1 [MQTT-3.3.5-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('a/#', 0), subscribe('a/+', 2), subscribe('a/b', 1));
    await (await bench.client('p', { version })).say(publish('a/b', { qos: 2 }), ack('pubrel'));
    expect(published(await client.hear())).toMatchObject([{ qos: 2 }]);
  });

  it('with a wildcard at the start do not match topics that begin with $ [MQTT-4.7.2-1], 3.1.1 [MQTT-4.7.2-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('#'), subscribe('+/a'));
    const from = await bench.client('p', { version });
    await from.say(publish('$own/a'), publish('x/a'));
    expect(topicsIn(await client.hear())).toEqual(['x/a']);
    await client.say(subscribe('$own/#'));
    await from.say(publish('$own/a'));
    expect(topicsIn(await client.hear())).toEqual(['$own/a']);
  });

  it('match byte by byte: case, composition and empty levels count [MQTT-4.7.3-4], 3.1.1 [MQTT-4.7.3-4]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('caf\u00e9/x'), subscribe('a//b'));
    const from = await bench.client('p', { version });
    for (const topic of ['cafe\u0301/x', 'Caf\u00e9/x', 'caf\u00e9/x', 'a/b', 'a//b']) await from.say(publish(topic));
    expect(topicsIn(await client.hear())).toEqual(['caf\u00e9/x', 'a//b']);
  });

  it('end by the same characters, and bring nothing more [MQTT-3.10.4-1] [MQTT-3.10.4-2], 3.1.1 [MQTT-3.10.4-1] [MQTT-3.10.4-2]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('a/+'), subscribe('b'), unsubscribe('a/b', '+/b', 'B', 'b'));
    const from = await bench.client('p', { version });
    await from.say(publish('a/b'), publish('b'));
    expect(topicsIn(await client.hear())).toEqual(['a/b']);
  });

  it('that ended let what was begun be completed [MQTT-3.10.4-3], 3.1.1 [MQTT-3.10.4-3]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('a', 2));
    await (await bench.client('p', { version })).say(publish('a', { qos: 2 }), ack('pubrel'));
    const [begun] = published(await client.hear());
    await client.say(unsubscribe('a'));
    const packetId = begun?.packetId ?? 0;
    expect(await client.say(ack('pubrec', packetId))).toMatchObject([{ kind: 'pubrel', packetId }]);
    expect(await client.say(ack('pubcomp', packetId))).toEqual([]);
  });

  it('that never were are answered all the same [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.11.3-1] [MQTT-3.11.3-2], 3.1.1 [MQTT-3.10.4-4] [MQTT-3.10.4-5]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', { version });
    await client.say(subscribe('b'));
    const reasons = version === 5 ? [0x11, 0] : [];
    expect(await client.say(unsubscribe('a', 'b'))).toMatchObject([{ kind: 'unsuback', packetId: 1, reasons }]);
  });
});
