// What MQTT 5 says and MQTT 3.1.1 does not.
import { encodeConnect, type MqttProperties, PINGREQ } from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { MQTT_PROFILE } from '../profiles.ts';
import { hex, lasting, published, speech, topicsIn } from '../testing/speech.ts';
import { Bench, connectPacket, type TestClient } from '../testing/test-core.ts';

const { ack, goodbye, publish, subscribe } = speech(5);

async function told(bytes: string): Promise<number | undefined> {
  const bench = await Bench.started();
  const client = await bench.client('a');
  const [packet] = await client.say(hex(bytes));
  expect(client.closed).toBe(packet?.kind === 'disconnect');
  return packet?.kind === 'disconnect' ? packet.reason : undefined;
}

/** A subscriber to everything, and a publisher. */
async function pair(bench: Bench, properties: MqttProperties = {}): Promise<[TestClient, TestClient]> {
  const client = await bench.client('s', { clean: false, properties });
  await client.say(subscribe('#', 2));
  return [client, await bench.client('p', { keepAlive: 0 })];
}

describe('the form of packets in MQTT 5', () => {
  it.each([
    ['a variable byte integer longer than needed [MQTT-1.5.5-1]', '30 06 0001 61 8000 78', 0x81],
    ['a user property whose name is not UTF-8 [MQTT-1.5.7-1]', '30 0B 0001 61 07 26 0001 80 0001 61', 0x81],
    ['a user property whose value is not UTF-8 [MQTT-1.5.7-1]', '30 0B 0001 61 07 26 0001 61 0001 80', 0x81],
    ['SUBSCRIBE without a property length [MQTT-2.2.2-1]', '82 06 0001 0001 61 00', 0x81],
    ['a response topic that is not UTF-8 [MQTT-3.3.2-13]', '30 08 0001 61 04 08 0001 80', 0x81],
    ['a content type that is not UTF-8 [MQTT-3.3.2-19]', '30 08 0001 61 04 03 0001 80', 0x81],
    ['PUBACK with a reason that is not its own [MQTT-3.4.2-1]', '40 03 0001 92', 0x82],
    ['PUBREC with a reason that is not its own [MQTT-3.5.2-1]', '50 03 0001 92', 0x82],
    ['PUBREL with a reason that is not its own [MQTT-3.6.2-1]', '62 03 0001 10', 0x82],
    ['PUBCOMP with a reason that is not its own [MQTT-3.7.2-1]', '70 03 0001 10', 0x82],
    ['AUTH with flags set [MQTT-3.15.1-1]', 'F1 02 18 00', 0x82],
    ['AUTH though no method was named [MQTT-4.12.0-6]', 'F0 02 18 00', 0x82],
  ])('%s ends the connection', async (_title, bytes, reason) => {
    expect(await told(bytes)).toBe(reason);
  });

  it('packets without properties of the server say so with a length of 0, or end before [MQTT-2.2.2-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a');
    client.pipe.send(subscribe('t', 0));
    client.pipe.send(publish('t'));
    await bench.settle();
    expect([...client.pipe.take()]).toEqual([...hex('90 04 0001 00 00  30 05 0001 74 00 78')]);
  });
});

describe('what MQTT 5 is told', () => {
  it('holds no alias, response information, method or reason string that was not asked for [MQTT-3.1.2-27] [MQTT-3.1.2-28] [MQTT-3.1.2-29] [MQTT-4.12.0-6]', async () => {
    const bench = await Bench.started();
    bench.principal('s').subscribes = (filter) => filter === '#';
    const { client, heard } = await bench.connect('s', {
      properties: { requestProblemInformation: 0, requestResponseInformation: 0 },
    });
    const more = await client.say(subscribe('no'), subscribe('#'), publish('t'), publish('t'));
    for (const packet of [...heard, ...more]) {
      const properties = 'properties' in packet ? packet.properties : {};
      for (const name of [
        'topicAlias',
        'responseInformation',
        'authenticationMethod',
        'reasonString',
        'userProperties',
      ]) {
        expect(properties).not.toHaveProperty(name);
      }
    }
    expect(more.map(({ kind }) => kind)).toEqual(['suback', 'suback', 'publish', 'publish']);
  });

  it('is no DISCONNECT before a CONNACK of success [MQTT-3.14.0-1]', async () => {
    const bench = await Bench.started();
    bench.principal('a').connects = () => false;
    const { client, heard } = await bench.connect('a');
    expect(heard).toMatchObject([{ kind: 'connack', reason: 0x87 }]);
    expect(await client.hear()).toEqual([]);
    const broken = bench.open();
    expect(await broken.say(hex('10 02 00 00'))).toEqual([]);
    const slow = bench.open();
    await bench.advance(6);
    expect(await slow.hear()).toEqual([]);
    expect([client.closed, broken.closed, slow.closed]).toEqual([true, true, true]);
  });

  it('is a reason of the table in DISCONNECT, and no session expiry interval [MQTT-3.14.2-1] [MQTT-3.14.2-2]', async () => {
    const bench = await Bench.started({ profile: { ...MQTT_PROFILE, maxPayloadBytes: 4 } });
    const endings: readonly (readonly [number, (client: TestClient, name: string) => Promise<unknown>])[] = [
      [0x81, (client) => client.say(hex('C1 00'))],
      [0x82, (client) => client.say(hex('D0 00'))],
      [0x8d, () => bench.advance(100)],
      [0x8e, (_client, name) => bench.client(name)],
      [0x94, (client) => client.say(hex('30 07 0001 61 03 23FFFF'))],
      [0x95, (client) => client.say(publish('t', { payload: new Uint8Array(5) }))],
      [0x98, async () => bench.broker.cut(() => true)],
      [0x8b, () => bench.broker.close()],
    ];
    for (const [reason, end] of endings) {
      const client = await bench.client(`ends ${reason}`, { properties: { sessionExpiryInterval: 9 } });
      const before = client.pipe.take.bind(client.pipe);
      const seen: Uint8Array[] = [];
      client.pipe.take = () => {
        const bytes = before();
        seen.push(bytes);
        return bytes;
      };
      await end(client, `ends ${reason}`);
      await client.hear();
      expect(Buffer.concat(seen)).toEqual(Buffer.from([0xe0, 1, reason]));
    }
  });
});

describe('flow in MQTT 5', () => {
  it('begins with a quota of the receive maximum, not more and not less [MQTT-4.9.0-1]', async () => {
    for (const receiveMaximum of [1, 3, 7]) {
      const bench = await Bench.started();
      const [client, sender] = await pair(bench, { receiveMaximum });
      for (let n = 1; n <= 9; n++) await sender.say(publish('t', { qos: 1, packetId: n }));
      expect(published(await client.hear())).toHaveLength(receiveMaximum);
    }
  });

  it('goes on for everything but PUBLISH when the quota is used up [MQTT-3.3.4-10]', async () => {
    const bench = await Bench.started();
    const [client, sender] = await pair(bench, { receiveMaximum: 1 });
    await sender.say(publish('t', { qos: 2 }), ack('pubrel'), publish('t', { qos: 1 }));
    const [first] = published(await client.hear());
    expect(await client.say(PINGREQ, subscribe('u', 0))).toMatchObject([{ kind: 'pingresp' }, { kind: 'suback' }]);
    expect(await client.say(ack('pubrec', first?.packetId))).toMatchObject([{ kind: 'pubrel' }]);
  });

  it('is not stopped by the expiry of a message that was sent at QoS 2 [MQTT-4.3.3-7]', async () => {
    const bench = await Bench.started();
    const [client, sender] = await pair(bench, { sessionExpiryInterval: 1_000 });
    await sender.say(publish('t', { qos: 2, properties: { messageExpiryInterval: 5 } }), ack('pubrel'));
    const [first] = published(await client.hear());
    client.pipe.drop();
    await bench.advance(20);
    const again = await bench.connect('s', lasting(5));
    expect(published(again.heard)).toMatchObject([{ topic: 't', dup: true, packetId: first?.packetId }]);
  });

  it('completes an exchange whose message has expired, and does not deliver it [MQTT-4.3.3-13]', async () => {
    const bench = await Bench.started();
    const [client, sender] = await pair(bench);
    await sender.say(publish('t', { qos: 2, properties: { messageExpiryInterval: 5 } }));
    await bench.advance(6);
    expect(await sender.say(ack('pubrel'))).toMatchObject([{ kind: 'pubcomp', packetId: 1 }]);
    expect(await client.hear()).toEqual([]);
    expect(bench.broker.metrics.messagesExpired).toBe(1);
  });

  it('takes an identifier as new after a PUBREC that refused [MQTT-4.3.3-9]', async () => {
    const bench = await Bench.started();
    const [client, sender] = await pair(bench);
    bench.principal('p').publishes = () => false;
    expect(await sender.say(publish('t', { qos: 2 }))).toMatchObject([{ kind: 'pubrec', reason: 0x87 }]);
    bench.principal('p').publishes = () => true;
    expect(await sender.say(publish('u', { qos: 2 }), ack('pubrel'))).toMatchObject([
      { reason: 0 },
      { kind: 'pubcomp' },
    ]);
    expect(topicsIn(await client.hear())).toEqual(['u']);
  });

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('does not repeat a message of QoS %i that was refused [MQTT-4.4.0-2]', async (qos, kind) => {
    const bench = await Bench.started();
    const [client, sender] = await pair(bench, { sessionExpiryInterval: 1_000 });
    await sender.say(publish('t', { qos }), ack('pubrel'));
    const [first] = published(await client.hear());
    await client.say(ack(kind, first?.packetId, 0x80));
    client.pipe.drop();
    expect(published((await bench.connect('s', lasting(5))).heard)).toEqual([]);
  });
});

describe('members of a shared subscription', () => {
  const join = async (bench: Bench, name: string) => {
    const client = await bench.client(name, { clean: false, properties: { sessionExpiryInterval: 50 } });
    await client.say(subscribe('$share/g/t', 2));
    return client;
  };

  /** One message to the first member; the second hears nothing. */
  async function begun(bench: Bench, qos: 1 | 2) {
    const [one, two] = [await join(bench, 'one'), await join(bench, 'two')];
    const sender = await bench.client('p', { keepAlive: 0 });
    await sender.say(publish('t', { qos }), ack('pubrel'));
    const [message] = published(await one.hear());
    expect(await two.hear()).toEqual([]);
    return { one, two, packetId: message?.packetId ?? 0 };
  }

  it('get the rest of what was begun with them when they come back [MQTT-4.8.2-4]', async () => {
    const bench = await Bench.started();
    const { one, two, packetId } = await begun(bench, 2);
    one.pipe.drop();
    const back = await bench.connect('one', lasting(5));
    expect(published(back.heard)).toMatchObject([{ packetId, dup: true }]);
    expect(await back.client.say(ack('pubrec', packetId))).toMatchObject([{ kind: 'pubrel', packetId }]);
    expect(await two.hear()).toEqual([]);
  });

  it('that end leave what was begun at QoS 2 to no other [MQTT-4.8.2-5]', async () => {
    const bench = await Bench.started();
    const { one, two } = await begun(bench, 2);
    await one.say(goodbye());
    await bench.advance(55);
    expect(published(await two.hear())).toEqual([]);
    expect(bench.broker.gauges().sessions).toBeLessThan(3);
  });

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('that refuse a message of QoS %i leave it to no other [MQTT-4.8.2-6]', async (qos, kind) => {
    const bench = await Bench.started();
    const { one, two, packetId } = await begun(bench, qos);
    await one.say(ack(kind, packetId, 0x80));
    expect(await two.hear()).toEqual([]);
  });
});

describe('CONNECT of MQTT 5', () => {
  it('with authentication data and no method ends the connection (3.1.2.11.10)', async () => {
    const bench = await Bench.started();
    const client = bench.open();
    expect(
      await client.say(encodeConnect(connectPacket('a', { properties: { authenticationData: hex('01') } }))),
    ).toEqual([]);
    expect(client.closed).toBe(true);
  });
});
