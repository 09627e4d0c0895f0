// What both versions say of connecting. Identifiers of MQTT 5 stand alone, those of MQTT 3.1.1 after its number.
import { concatBytes } from '@holdfast/kernel';
import { encodeConnect, type MqttVersion, PINGREQ } from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { hex, lasting, speech, topicsIn, will } from '../testing/speech.ts';
import { Bench, connectPacket, type TestClient } from '../testing/test-core.ts';

const NAME = '0004 4D515454';

/** Sends bytes on a new connection: no answer, and the end. */
async function expectSilentEnd(bytes: Uint8Array): Promise<void> {
  const bench = await Bench.started();
  const client = bench.open();
  expect(await client.say(bytes)).toEqual([]);
  expect(client.closed).toBe(true);
}

/** Someone who hears every will. */
async function heirOf(bench: Bench): Promise<TestClient> {
  const heir = await bench.client('heir', { keepAlive: 0 });
  await heir.say(speech(5).subscribe('#'));
  return heir;
}

describe.each([4, 5] as const)('connecting with version %i', (version: MqttVersion) => {
  const { publish, subscribe, goodbye } = speech(version);
  const reason = version === 5 ? { unnamed: 0x85, denied: 0x87 } : { unnamed: 2, denied: 5 };
  /** Lengths and properties differ by one byte each. */
  const connect = (flags: string, payload: string) => {
    const body = hex(`${NAME} 0${version} ${flags} 000A ${version === 5 ? '00' : ''} ${payload}`);
    return concatBytes(Uint8Array.of(0x10, body.length), body);
  };
  const willProps = version === 5 ? '00' : '';

  it('a packet before CONNECT ends the connection [MQTT-3.1.0-1], 3.1.1 [MQTT-3.1.0-1]', async () => {
    await expectSilentEnd(PINGREQ);
    await expectSilentEnd(publish('a'));
  });

  it('a second CONNECT ends the connection [MQTT-3.1.0-2], 3.1.1 [MQTT-3.1.0-2]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', { version });
    await client.say(encodeConnect(connectPacket('a', { version })));
    expect(client.closed).toBe(true);
    expect(bench.broker.gauges().connections).toBe(0);
  });

  it('another protocol name ends the connection [MQTT-3.1.2-1], 3.1.1 [MQTT-3.1.2-1]', () =>
    expectSilentEnd(hex(`10 0D 0004 6D717474 0${version} 02 000A 0001 70`)));

  it('another level is answered 0x01 and the end [MQTT-3.1.2-2], 3.1.1 [MQTT-3.1.2-2]', async () => {
    const bench = await Bench.started();
    const client = bench.open(4);
    expect(await client.say(hex(`10 0D ${NAME} 07 02 000A 0001 70`))).toMatchObject([{ kind: 'connack', reason: 1 }]);
    expect(client.closed).toBe(true);
  });

  it.each([
    ['a reserved flag [MQTT-3.1.2-3], 3.1.1 [MQTT-3.1.2-3]', '03', '0001 70'],
    ['a will flag without will [MQTT-3.1.2-9], 3.1.1 [MQTT-3.1.2-9]', '06', '0001 70'],
    ['a will QoS without will [MQTT-3.1.2-11], 3.1.1 [MQTT-3.1.2-11] [MQTT-3.1.2-13]', '0A', '0001 70'],
    ['a will QoS of 3 [MQTT-3.1.2-12], 3.1.1 [MQTT-3.1.2-14]', '1E', `0001 70 ${willProps} 0001 70 0001 70`],
    ['Will Retain without will [MQTT-3.1.2-13], 3.1.1 [MQTT-3.1.2-15]', '22', '0001 70'],
    ['a user name that no flag announces [MQTT-3.1.2-16], 3.1.1 [MQTT-3.1.2-18]', '02', '0001 70 0001 70'],
    ['no user name where a flag announces one [MQTT-3.1.2-17], 3.1.1 [MQTT-3.1.2-19]', '82', '0001 70'],
    ['a password that no flag announces [MQTT-3.1.2-18], 3.1.1 [MQTT-3.1.2-20]', '82', '0001 70 0001 70 0001 70'],
    ['no password where a flag announces one [MQTT-3.1.2-19], 3.1.1 [MQTT-3.1.2-21]', 'C2', '0001 70 0001 70'],
    ['no client identifier [MQTT-3.1.3-3], 3.1.1 [MQTT-3.1.3-3]', '02', ''],
    ['a client identifier that is not UTF-8 [MQTT-3.1.3-4], 3.1.1 [MQTT-3.1.3-4]', '02', '0001 80'],
    [
      'a will topic that is not UTF-8 [MQTT-3.1.3-11], 3.1.1 [MQTT-3.1.3-10]',
      '06',
      `0001 70 ${willProps} 0001 80 0000`,
    ],
    ['a user name that is not UTF-8 [MQTT-3.1.3-12], 3.1.1 [MQTT-3.1.3-11]', '82', '0001 70 0001 80'],
    ['bytes after its fields [MQTT-3.1.4-1], 3.1.1 [MQTT-3.1.4-1]', '02', '0001 70 00'],
  ])('a CONNECT with %s ends the connection without a word', (_title, flags, payload) =>
    expectSilentEnd(connect(flags, payload)),
  );

  if (version === 4) {
    it('a password without user name ends the connection, 3.1.1 [MQTT-3.1.2-22]', () =>
      expectSilentEnd(connect('42', '0001 70 0001 70')));
  }

  it('the fields of CONNECT have one order [MQTT-3.1.3-1], 3.1.1 [MQTT-3.1.3-1]', async () => {
    const bench = await Bench.started();
    let seen: unknown;
    bench.admit = ({ connect: packet, clientId }) => {
      seen = { clientId, topic: packet.will?.topic, userName: packet.userName, password: packet.password };
      return Promise.resolve({ kind: 'admitted', principal: bench.principal(clientId) });
    };
    await bench.open(version).say(connect('C6', `0001 61 ${willProps} 0001 62 0001 63 0001 64 0001 65`));
    expect(seen).toEqual({ clientId: 'a', topic: 'b', userName: 'd', password: Uint8Array.of(0x65) });
  });

  it('identifiers of 1 to 23 letters and digits are allowed [MQTT-3.1.3-5], 3.1.1 [MQTT-3.1.3-5]', async () => {
    const bench = await Bench.started();
    for (const id of ['0', 'Z', 'abcdefghijklmnopqrstuvw', 'ABCDEFGHIJKLMNOPQRSTUVW', '01234567890123456789012']) {
      expect((await bench.connect(id, { version })).heard).toMatchObject([{ kind: 'connack', reason: 0 }]);
    }
  });

  it('a client without identifier gets one of its own [MQTT-3.1.3-6], 3.1.1 [MQTT-3.1.3-6]', async () => {
    const bench = await Bench.started();
    for (let n = 0; n < 3; n++) await bench.connect('', { version });
    const ids = bench.broker.describeConnections().map(({ clientId }) => clientId);
    expect(new Set(ids).size).toBe(3);
  });

  it('a rejected identifier is told and ends the connection [MQTT-3.1.3-8] [MQTT-3.2.2-7], 3.1.1 [MQTT-3.1.3-9] [MQTT-3.2.2-5]', async () => {
    const bench = await Bench.started();
    bench.admit = () => Promise.resolve({ kind: 'refused', returnCode: 2, reason: 0x85 });
    const { client, heard } = await bench.connect('a', { version });
    expect(heard).toMatchObject([{ kind: 'connack', reason: reason.unnamed }]);
    expect(client.closed).toBe(true);
  });

  it('a connection that is not allowed ends [MQTT-3.1.4-2] [MQTT-4.12.0-4]', async () => {
    const bench = await Bench.started();
    bench.principal('a').connects = () => false;
    const { client, heard } = await bench.connect('a', { version });
    expect(heard).toMatchObject([{ kind: 'connack', reason: reason.denied }]);
    expect(client.closed).toBe(true);
  });

  it('a refusal says no session [MQTT-3.2.2-6], 3.1.1 [MQTT-3.2.2-4]', async () => {
    const bench = await Bench.started();
    (await bench.client('a', lasting(version))).pipe.drop();
    bench.principal('a').connects = () => false;
    expect((await bench.connect('a', lasting(version))).heard).toMatchObject([{ sessionPresent: false }]);
  });

  it('nothing after a refused CONNECT is processed [MQTT-3.1.4-6], 3.1.1 [MQTT-3.1.4-5]', async () => {
    const bench = await Bench.started();
    const heir = await heirOf(bench);
    bench.principal('a').connects = () => false;
    const client = bench.open(version);
    await client.say(concatBytes(encodeConnect(connectPacket('a', { version })), publish('forbidden')));
    expect(await heir.hear()).toEqual([]);
    expect(bench.broker.metrics.publishesReceived).toBe(0);
  });

  it('a good CONNECT is answered with one CONNACK, first, with 0 [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1], 3.1.1 [MQTT-3.1.4-4] [MQTT-3.2.0-1]', async () => {
    const bench = await Bench.started();
    const client = bench.open(version);
    client.pipe.send(concatBytes(encodeConnect(connectPacket('a', { version })), PINGREQ));
    await bench.settle();
    const bytes = client.pipe.take();
    expect([bytes[0], bytes[2], bytes[3]]).toEqual([0x20, 0, 0]);
    expect([...bytes.subarray(-2)]).toEqual([0xd0, 0]);
    expect(await client.say(PINGREQ, subscribe('a'))).toMatchObject([{ kind: 'pingresp' }, { kind: 'suback' }]);
  });

  it('an authenticator that fails ends the connection with a code of the table [MQTT-3.2.2-8]', async () => {
    const bench = await Bench.started();
    bench.admit = () => Promise.reject(new Error('gone'));
    const { client, heard } = await bench.connect('a', { version });
    expect(heard).toMatchObject([{ reason: version === 5 ? 0x88 : 3 }]);
    expect(client.closed).toBe(true);
  });

  it('a fault with no code of its own ends the connection without CONNACK, 3.1.1 [MQTT-3.2.2-6]', () =>
    expectSilentEnd(connect('06', `0001 70 ${willProps} 0001 23 0000`)));

  it('a clean start discards the session and says so [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2], 3.1.1 [MQTT-3.1.2-6] [MQTT-3.1.4-3] [MQTT-3.2.2-1]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', lasting(version));
    await first.say(subscribe('t'), goodbye());
    const { client, heard } = await bench.connect('a', { version, clean: true });
    expect(heard).toMatchObject([{ sessionPresent: false }]);
    expect(topicsIn(await client.say(publish('t')))).toEqual([]);
    await client.say(goodbye());
    expect((await bench.connect('a', lasting(version))).heard).toMatchObject([{ sessionPresent: false }]);
  });

  it('a session goes on, by its client identifier alone [MQTT-3.1.2-5] [MQTT-3.1.3-2] [MQTT-3.2.2-3], 3.1.1 [MQTT-3.1.2-4] [MQTT-3.1.3-2] [MQTT-3.2.2-2]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', lasting(version));
    await first.say(subscribe('t'), goodbye());
    expect((await bench.connect('b', lasting(version))).heard).toMatchObject([{ sessionPresent: false }]);
    const { client, heard } = await bench.connect('a', lasting(version));
    expect(heard).toMatchObject([{ sessionPresent: true }]);
    expect(topicsIn(await client.say(publish('t')))).toEqual(['t']);
  });

  it('a session that is not there begins, and is said not to be there [MQTT-3.1.2-6], 3.1.1 [MQTT-3.2.2-3]', async () => {
    const bench = await Bench.started();
    expect((await bench.connect('a', lasting(version))).heard).toMatchObject([{ reason: 0, sessionPresent: false }]);
  });

  it('session state is kept while the connection is open, and after it [MQTT-3.1.2-23] [MQTT-4.1.0-1], 3.1.1 [MQTT-4.1.0-1] [MQTT-4.1.0-2]', async () => {
    const bench = await Bench.started();
    const brief = await bench.client('brief', { version, keepAlive: 0 });
    await brief.say(subscribe('t'));
    await bench.advance(1_000_000);
    expect(topicsIn(await brief.say(publish('t')))).toEqual(['t']);
    const long = await bench.client('long', lasting(version));
    await long.say(subscribe('t'), goodbye());
    await bench.advance(900);
    expect((await bench.connect('long', lasting(version))).heard).toMatchObject([{ sessionPresent: true }]);
  });

  it('messages of QoS 1 and 2 are stored for who is away [MQTT-4.5.0-1], 3.1.1 [MQTT-3.1.2-5] [MQTT-4.5.0-1]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', lasting(version));
    await first.say(subscribe('t', 2), goodbye());
    const sender = await bench.client('p', { version });
    await sender.say(publish('t', { qos: 1 }), publish('t', { qos: 2, packetId: 2 }), speech(version).ack('pubrel', 2));
    expect(topicsIn((await bench.connect('a', lasting(version))).heard)).toEqual(['t', 't']);
  });

  it('the same client identifier ends the connection before [MQTT-3.1.4-3], 3.1.1 [MQTT-3.1.4-2]', async () => {
    const bench = await Bench.started();
    const old = await bench.client('a', { version });
    await bench.client('a', { version });
    expect(old.closed).toBe(true);
    expect(await old.hear()).toMatchObject(version === 5 ? [{ kind: 'disconnect', reason: 0x8e }] : []);
  });

  it('one and a half keep-alives of silence end the connection, not less [MQTT-3.1.2-22] [MQTT-3.2.2-22], 3.1.1 [MQTT-3.1.2-24]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', { version, keepAlive: 100 });
    await bench.advance(149);
    expect(client.closed).toBe(false);
    await bench.advance(2);
    expect(client.closed).toBe(true);
  });

  it('PINGREQ is answered [MQTT-3.12.4-1], 3.1.1 [MQTT-3.12.4-1]', async () => {
    const bench = await Bench.started();
    expect(await (await bench.client('a', { version })).say(PINGREQ)).toEqual([{ kind: 'pingresp' }]);
  });

  it('a stream of bytes in any pieces is served [MQTT-4.2.0-1], 3.1.1 [MQTT-7.1.1-1]', async () => {
    const bench = await Bench.started();
    const client = bench.open(version);
    for (const byte of encodeConnect(connectPacket('a', { version }))) client.pipe.send(Uint8Array.of(byte));
    expect(await client.hear()).toMatchObject([{ kind: 'connack', reason: 0 }]);
    const together = await client.say(concatBytes(subscribe('t'), publish('t'), PINGREQ));
    expect(together.map(({ kind }) => kind)).toEqual(['suback', 'publish', 'pingresp']);
  });

  it('no extension is required: CONNECT of four fields will do, 3.1.1 [MQTT-7.0.0-2]', async () => {
    const bench = await Bench.started();
    const client = bench.open(version);
    expect(await client.say(connect('02', '0001 70'))).toMatchObject([{ kind: 'connack', reason: 0 }]);
  });

  describe('the will', () => {
    it('is kept, and published when the connection is lost [MQTT-3.1.2-7] [MQTT-3.1.2-8], 3.1.1 [MQTT-3.1.2-8]', async () => {
      const bench = await Bench.started();
      const heir = await heirOf(bench);
      const client = await bench.client('a', { version, will: will() });
      expect(await heir.hear()).toEqual([]);
      client.pipe.drop();
      expect(topicsIn(await heir.hear())).toEqual(['will']);
    });

    it('is published once, and not after DISCONNECT [MQTT-3.1.2-10] [MQTT-3.14.4-3], 3.1.1 [MQTT-3.1.2-10] [MQTT-3.14.4-3]', async () => {
      const bench = await Bench.started();
      const heir = await heirOf(bench);
      const polite = await bench.client('a', { ...lasting(version), will: will() });
      await polite.say(goodbye());
      const rude = await bench.client('b', { ...lasting(version), will: will() });
      rude.pipe.drop();
      (await bench.client('b', lasting(version))).pipe.drop();
      await bench.advance(2_000);
      expect(topicsIn(await heir.hear())).toEqual(['will']);
    });

    it('is none without its flag, 3.1.1 [MQTT-3.1.2-12]', async () => {
      const bench = await Bench.started();
      const heir = await heirOf(bench);
      (await bench.client('a', { version })).pipe.drop();
      expect(await heir.hear()).toEqual([]);
    });

    it.each([
      ['is retained with Will Retain [MQTT-3.1.2-15], 3.1.1 [MQTT-3.1.2-17]', true],
      ['is not retained without [MQTT-3.1.2-14], 3.1.1 [MQTT-3.1.2-16]', false],
    ])('%s', async (_title, retain) => {
      const bench = await Bench.started();
      (await bench.client('a', { version, will: will({ retain }) })).pipe.drop();
      expect(bench.broker.gauges().retainedMessages).toBe(retain ? 1 : 0);
    });
  });

  it('wrong flags end the connection [MQTT-2.1.3-1] [MQTT-3.14.1-1], 3.1.1 [MQTT-2.2.2-1] [MQTT-2.2.2-2] [MQTT-3.14.1-1]', async () => {
    for (const bytes of ['E1 00', 'C1 00', '41 02 0001', 'A3 00']) {
      const bench = await Bench.started();
      const client = await bench.client('a', { version });
      expect(await client.say(hex(bytes))).toMatchObject(version === 5 ? [{ kind: 'disconnect', reason: 0x81 }] : []);
      expect(client.closed).toBe(true);
    }
  });

  it('a protocol violation ends the connection, and no other [MQTT-4.13.1-1] [MQTT-4.13.2-1], 3.1.1 [MQTT-4.8.0-1]', async () => {
    const bench = await Bench.started();
    const [client, other] = [await bench.client('a', { version }), await bench.client('b', { version })];
    expect(await client.say(hex('20 02 00 00'))).toMatchObject(
      version === 5 ? [{ kind: 'disconnect', reason: 0x82 }] : [],
    );
    expect([client.closed, other.closed]).toEqual([true, false]);
  });

  it('an error of the server while it serves a packet ends the connection it came on, 3.1.1 [MQTT-4.8.0-2]', async () => {
    const bench = await Bench.started();
    bench.principal('a').publishes = () => {
      throw new Error('policy store away');
    };
    const [client, other] = [await bench.client('a', { version }), await bench.client('b', { version })];
    await client.say(publish('t', { qos: 1 }));
    expect([client.closed, other.closed]).toEqual([true, false]);
  });
});
