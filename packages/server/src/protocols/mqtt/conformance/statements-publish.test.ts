// What both versions say of messages. Identifiers of MQTT 5 stand alone, those of MQTT 3.1.1 after its number.
import type { MqttVersion, Qos } from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { hex, lasting, published, speech, topicsIn, X } from '../testing/speech.ts';
import { Bench, type ConnectOptions, type TestClient } from '../testing/test-core.ts';

const NOTHING = new Uint8Array(0);

describe.each([4, 5] as const)('messages of version %i', (version: MqttVersion) => {
  const { ack, goodbye, publish, subscribe } = speech(version);
  const none = version === 5 ? '00' : '';

  const listener = async (
    bench: Bench,
    qos: Qos = 2,
    options: ConnectOptions = {},
    name = 's',
  ): Promise<TestClient> => {
    const client = await bench.client(name, { version, ...options });
    await client.say(subscribe('#', qos));
    return client;
  };
  const sender = (bench: Bench, options: ConnectOptions = {}) => bench.client('p', { version, ...options });
  /** A whole publication, of any QoS. */
  const tell = async (from: TestClient, topic: string, qos: Qos, packetId = 9): Promise<void> => {
    await from.say(publish(topic, { qos, packetId: qos === 0 ? 0 : packetId }));
    if (qos === 2) await from.say(ack('pubrel', packetId));
  };

  it.each([
    ['QoS 3 [MQTT-3.3.1-4], 3.1.1 [MQTT-3.3.1-4]', `36 08 0003 612F62 0001 ${none || '78'}`],
    ['DUP at QoS 0 [MQTT-3.3.1-2], 3.1.1 [MQTT-3.3.1-2]', `38 04 0001 61 ${none || '78'}`],
    ['a topic that is not UTF-8 [MQTT-3.3.2-1], 3.1.1 [MQTT-3.3.2-1]', `30 04 0001 80 ${none || '78'}`],
    ['a surrogate in the topic [MQTT-1.5.4-1], 3.1.1 [MQTT-1.5.3-1]', `30 06 0003 EDA080 ${none || '78'}`],
    [
      'U+0000 in the topic [MQTT-1.5.4-2] [MQTT-4.7.3-2], 3.1.1 [MQTT-1.5.3-2] [MQTT-4.7.3-2]',
      `30 04 0001 00 ${none || '78'}`,
    ],
    [
      'a wildcard in the topic [MQTT-3.3.2-2] [MQTT-4.7.0-1], 3.1.1 [MQTT-3.3.2-2] [MQTT-4.7.1-1]',
      `30 04 0001 2B ${none || '78'}`,
    ],
    ['an empty topic [MQTT-4.7.3-1], 3.1.1 [MQTT-4.7.3-1]', `30 03 0000 ${none || '78'}`],
    ['packet identifier 0 above QoS 0, 3.1.1 [MQTT-2.3.1-1]', `32 06 0001 61 0000 ${none || '78'}`],
    ['PUBREL with flags 0 [MQTT-3.6.1-1], 3.1.1 [MQTT-3.6.1-1]', '60 02 0001'],
  ])('%s end the connection', async (_title, bytes) => {
    const bench = await Bench.started();
    const client = await sender(bench);
    await client.say(hex(bytes));
    expect(client.closed).toBe(true);
  });

  it('U+FEFF is kept wherever it stands [MQTT-1.5.4-3], 3.1.1 [MQTT-1.5.3-3]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench);
    await (await sender(bench)).say(publish('\uFEFFa/\uFEFF'), publish('a/'));
    expect(topicsIn(await client.hear())).toEqual(['\uFEFFa/\uFEFF', 'a/']);
  });

  it('topics have up to 65,535 bytes, as the field allows no more [MQTT-4.7.3-3], 3.1.1 [MQTT-4.7.3-3]', async () => {
    const bench = await Bench.started();
    expect(() => publish('a'.repeat(65_536))).toThrow();
    const client = await sender(bench);
    await client.say(publish('a'.repeat(65_535)));
    expect(client.closed).toBe(false);
  });

  it('QoS 0 has no identifier and DUP 0 both ways [MQTT-2.2.1-2] [MQTT-4.3.1-1], 3.1.1 [MQTT-2.3.1-5] [MQTT-4.3.1-1]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench);
    await tell(await sender(bench), 't', 0);
    const bytes = client.pipe.take();
    expect([...bytes]).toEqual([...hex(`30 0${version === 5 ? 5 : 4} 0001 74 ${none} 78`)]);
  });

  it('is answered as its QoS demands, with its identifier [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11], 3.1.1 [MQTT-2.3.1-6] [MQTT-3.3.4-1]', async () => {
    const bench = await Bench.started();
    const client = await sender(bench);
    expect(await client.say(publish('t'))).toEqual([]);
    expect(await client.say(publish('t', { qos: 1, packetId: 7 }))).toMatchObject([{ kind: 'puback', packetId: 7 }]);
    expect(await client.say(publish('t', { qos: 2, packetId: 8 }))).toMatchObject([{ kind: 'pubrec', packetId: 8 }]);
    expect(await client.say(ack('pubrel', 8))).toMatchObject([{ kind: 'pubcomp', packetId: 8 }]);
  });

  it('after PUBACK the identifier means a new message, DUP or not [MQTT-4.3.2-5], 3.1.1 [MQTT-4.3.2-2]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench, 0);
    const from = await sender(bench);
    await from.say(publish('t', { qos: 1 }), publish('t', { qos: 1, dup: true }));
    expect(published(await client.hear())).toHaveLength(2);
  });

  it('QoS 2 is delivered once, whatever is repeated; after PUBCOMP the identifier is new [MQTT-4.3.3-10] [MQTT-4.3.3-12], 3.1.1 [MQTT-4.3.3-2]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench, 0);
    const from = await sender(bench);
    await from.say(publish('t', { qos: 2 }), publish('t', { qos: 2, dup: true }), ack('pubrel'), ack('pubrel'));
    expect(published(await client.hear())).toHaveLength(1);
    await from.say(publish('t', { qos: 2 }), ack('pubrel'));
    expect(published(await client.hear())).toHaveLength(1);
  });

  it('goes out above QoS 0 with free identifiers, not 0, DUP 0 [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.3-1] [MQTT-4.3.3-2], 3.1.1 [MQTT-2.3.1-4]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench);
    const from = await sender(bench);
    const held = new Set<number>();
    for (let n = 1; n <= 40; n++) await tell(from, `t${n}`, n % 2 === 0 ? 1 : 2, n);
    for (const { packetId, dup } of published(await client.hear())) {
      expect(dup).toBe(false);
      expect(packetId).toBeGreaterThan(0);
      held.add(packetId);
    }
    expect(held.size).toBe(40);
  });

  it('the DUP flag of what goes out is not that of what came in [MQTT-3.3.1-3], 3.1.1 [MQTT-3.3.1-3]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench);
    await (await sender(bench)).say(publish('t', { qos: 1, dup: true }));
    expect(published(await client.hear())).toMatchObject([{ qos: 1, dup: false }]);
  });

  it('at QoS 1 is unacknowledged until PUBACK: sent again then, DUP set, same identifier [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.4.0-1], 3.1.1 [MQTT-3.3.1-1] [MQTT-4.3.2-1] [MQTT-4.4.0-1]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench, 1, lasting(version));
    await tell(await sender(bench, { keepAlive: 0 }), 't', 1);
    const [first] = published(await client.hear());
    await bench.advance(30);
    expect(await client.hear()).toEqual([]);
    client.pipe.drop();
    const again = await bench.connect('s', lasting(version));
    expect(published(again.heard)).toMatchObject([{ dup: true, packetId: first?.packetId }]);
    await again.client.say(ack('puback', first?.packetId));
    again.client.pipe.drop();
    expect(published((await bench.connect('s', lasting(version))).heard)).toEqual([]);
  });

  it('at QoS 2 goes PUBLISH, PUBREC, PUBREL, PUBCOMP, and not back [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6], 3.1.1 [MQTT-4.3.3-1]', async () => {
    const bench = await Bench.started();
    let client = await listener(bench, 2, lasting(version));
    await tell(await sender(bench), 't', 2);
    const [first] = published(await client.hear());
    const packetId = first?.packetId ?? 0;
    client.pipe.drop();
    let { heard } = await bench.connect('s', lasting(version));
    expect(published(heard)).toMatchObject([{ packetId, dup: true }]);
    client = await bench.client('s', lasting(version));
    expect(await client.say(ack('pubrec', packetId))).toMatchObject([{ kind: 'pubrel', packetId }]);
    client.pipe.drop();
    ({ heard, client } = await bench.connect('s', lasting(version)));
    expect(heard).toMatchObject([{ kind: 'connack' }, { kind: 'pubrel', packetId }]);
    await client.say(ack('pubcomp', packetId));
    client.pipe.drop();
    expect((await bench.connect('s', lasting(version))).heard).toMatchObject([{ kind: 'connack' }]);
  });

  it('repeated packets keep their order, 3.1.1 [MQTT-4.6.0-1]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench, 2, lasting(version));
    const from = await sender(bench);
    const wanted = Array.from({ length: 9 }, (_, n) => `t${n}`);
    for (const [n, topic] of wanted.entries()) await tell(from, topic, n % 2 === 0 ? 1 : 2, n + 1);
    client.pipe.drop();
    expect(topicsIn((await bench.connect('s', lasting(version))).heard)).toEqual(wanted);
  });

  it('acknowledgements come in the order of what they acknowledge, 3.1.1 [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4]', async () => {
    const bench = await Bench.started();
    const from = await sender(bench);
    const ids = [5, 3, 9, 1];
    const one = await from.say(...ids.map((packetId) => publish('t', { qos: 1, packetId })));
    expect(one).toMatchObject(ids.map((packetId) => ({ kind: 'puback', packetId })));
    const two = await from.say(...ids.map((packetId) => publish('t', { qos: 2, packetId })));
    expect(two).toMatchObject(ids.map((packetId) => ({ kind: 'pubrec', packetId })));
    await from.say(...ids.map((packetId) => ack('pubrel', packetId)));
    const client = await listener(bench);
    for (const packetId of ids) await tell(from, 't', 2, packetId);
    const order = published(await client.hear()).map(({ packetId }) => packetId);
    const shuffled = [...order].reverse();
    const released = await client.say(...shuffled.map((packetId) => ack('pubrec', packetId)));
    expect(released).toMatchObject(shuffled.map((packetId) => ({ kind: 'pubrel', packetId })));
  });

  it.each([0, 1, 2] as const)(
    'of one client reach each subscriber in order, QoS %i [MQTT-4.6.0-5] [MQTT-4.6.0-6], 3.1.1 [MQTT-4.6.0-5] [MQTT-4.6.0-6]',
    async (qos) => {
      const bench = await Bench.started();
      const client = await listener(bench, qos);
      const from = await sender(bench);
      const wanted = Array.from({ length: 20 }, (_, n) => `t${n}`);
      for (const [n, topic] of wanted.entries()) await tell(from, topic, qos, n + 1);
      expect(topicsIn(await client.hear())).toEqual(wanted);
    },
  );

  it('that may not be published are acknowledged or end the connection, and go nowhere, 3.1.1 [MQTT-3.3.5-2]', async () => {
    const bench = await Bench.started();
    const client = await listener(bench);
    bench.principal('p').publishes = () => false;
    const from = await sender(bench);
    const heard = await from.say(publish('t', { qos: 1 }));
    if (version === 5) expect(heard).toMatchObject([{ kind: 'puback', reason: 0x87 }]);
    else expect(from.closed).toBe(true);
    expect(await client.hear()).toEqual([]);
  });

  describe('with RETAIN', () => {
    const retained = async (bench: Bench) => {
      const late = await bench.client('late', { version });
      return published(await late.say(subscribe('#', 2)));
    };

    it('are stored with their QoS, the last of each topic [MQTT-3.3.1-5], 3.1.1 [MQTT-3.3.1-5] [MQTT-3.3.1-6]', async () => {
      const bench = await Bench.started();
      const from = await sender(bench);
      await from.say(publish('a', { retain: true, payload: hex('01') }), publish('a', { retain: true, qos: 1 }));
      expect(await retained(bench)).toMatchObject([{ topic: 'a', qos: 1, payload: X }]);
    });

    it('at QoS 0 replace what was there, 3.1.1 [MQTT-3.3.1-7]', async () => {
      const bench = await Bench.started();
      const from = await sender(bench);
      await from.say(publish('a', { retain: true, qos: 1, payload: hex('01') }), publish('a', { retain: true }));
      expect(await retained(bench)).toMatchObject([{ qos: 0, payload: X }]);
    });

    it('answer a subscription with RETAIN 1, live ones come with 0 [MQTT-3.3.1-12], 3.1.1 [MQTT-3.3.1-8] [MQTT-3.3.1-9]', async () => {
      const bench = await Bench.started();
      const live = await listener(bench);
      await (await sender(bench)).say(publish('a', { retain: true }));
      expect(published(await live.hear())).toMatchObject([{ retain: false }]);
      expect(await retained(bench)).toMatchObject([{ retain: true }]);
    });

    it('and no payload remove what is there, are delivered, and not stored [MQTT-3.3.1-6] [MQTT-3.3.1-7], 3.1.1 [MQTT-3.3.1-10] [MQTT-3.3.1-11]', async () => {
      const bench = await Bench.started();
      const live = await listener(bench);
      const from = await sender(bench);
      await from.say(publish('a', { retain: true }), publish('a', { retain: true, payload: NOTHING }));
      expect(published(await live.hear())).toMatchObject([{ payload: X }, { payload: NOTHING }]);
      expect(await retained(bench)).toEqual([]);
    });

    it('set to 0 neither store nor remove [MQTT-3.3.1-8], 3.1.1 [MQTT-3.3.1-12]', async () => {
      const bench = await Bench.started();
      const from = await sender(bench);
      await from.say(publish('a', { retain: true }), publish('a', { payload: NOTHING }), publish('b'));
      expect(await retained(bench)).toMatchObject([{ topic: 'a', payload: X }]);
    });

    it('outlive the session that published them, 3.1.1 [MQTT-3.1.2-7]', async () => {
      const bench = await Bench.started();
      const from = await sender(bench);
      await from.say(publish('a', { retain: true }), goodbye());
      expect(bench.broker.gauges().sessions).toBe(0);
      expect(await retained(bench)).toHaveLength(1);
    });
  });
});
