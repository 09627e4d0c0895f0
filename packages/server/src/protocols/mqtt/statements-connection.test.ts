import { decodeHex, encodeUtf8 } from '@holdfast/kernel';
import {
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  type MqttPacket,
  PINGREQ,
  type Will,
} from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { MQTT_PROFILE } from './profiles.ts';
import { Bench, connectPacket, type ConnectOptions, type TestClient } from './testing/test-core.ts';

const hex = (text: string) => decodeHex(text.replaceAll(' ', ''));
const goodbye = (reason = 0) => encodeReasonPacket({ kind: 'disconnect', reason }, 5);
const subscribe = (text: string, qos: 0 | 1 | 2 = 1) =>
  encodeSubscribe({ packetId: 1, subscriptions: [{ text, qos }] }, 5);
const subscribe4 = (text: string, qos: 0 | 1 | 2 = 1) =>
  encodeSubscribe({ packetId: 1, subscriptions: [{ text, qos }] }, 4);
const topics = (packets: readonly MqttPacket[]) =>
  packets.flatMap((packet) => (packet.kind === 'publish' ? [packet.topic] : []));
const connack = (reason: number, sessionPresent = false) => ({ kind: 'connack', reason, sessionPresent });

function will(options: Partial<Will> = {}): Will {
  return { topic: 'will', payload: encodeUtf8('gone'), qos: 0, retain: false, properties: {}, ...options };
}

async function listener(bench: Bench, filter = '#', options: ConnectOptions = {}): Promise<TestClient> {
  const client = await bench.client('listener', options);
  await client.say(options.version === 4 ? subscribe4(filter) : subscribe(filter));
  return client;
}

describe('CONNECT', () => {
  it('must be the first packet [MQTT-3.1.0-1]', async () => {
    const bench = await Bench.started();
    const client = bench.open();
    expect(await client.say(PINGREQ)).toEqual([]);
    expect(client.closed).toBe(true);
  });

  it.each([4, 5] as const)('must not come twice, version %i [MQTT-3.1.0-2]', async (version) => {
    const bench = await Bench.started();
    const client = await bench.client('a', { version });
    const heard = await client.say(encodeConnect(connectPacket('a', { version })));
    expect(heard).toMatchObject(version === 5 ? [{ kind: 'disconnect', reason: 0x82 }] : []);
    expect(client.closed).toBe(true);
  });

  it.each([
    ['MQIsdp level 3', '10 0F 0006 4D5149736470 03 02 000A 0001 70'],
    ['level 6', '10 0D 0004 4D515454 06 02 000A 0001 70'],
    ['level 3 under the new name', '10 0D 0004 4D515454 03 02 000A 0001 70'],
    ['bridge level 0x84', '10 0D 0004 4D515454 84 02 000A 0001 70'],
  ])('with %s is answered "unacceptable protocol version" [MQTT-3.1.2-2]', async (_name, bytes) => {
    const bench = await Bench.started();
    const client = bench.open(4);
    expect(await client.say(hex(bytes))).toMatchObject([connack(1)]);
    expect(client.closed).toBe(true);
  });

  it.each([
    ['another protocol name [MQTT-3.1.2-1]', '10 0D 0004 4D515455 05 02 000A 00 0000'],
    ['the reserved flag [MQTT-3.1.2-3]', '10 0D 0004 4D515454 05 03 000A 00 0000'],
    ['will QoS without will [MQTT-3.1.2-11]', '10 0D 0004 4D515454 05 0A 000A 00 0000'],
    ['will QoS 3 [MQTT-3.1.2-12]', '10 13 0004 4D515454 05 1E 000A 00 0000 00 0001 74 0000'],
    ['will retain without will [MQTT-3.1.2-13]', '10 0D 0004 4D515454 05 22 000A 00 0000'],
    ['a user name flag without a user name [MQTT-3.1.2-17]', '10 0D 0004 4D515454 05 82 000A 00 0000'],
    ['a password flag without a password [MQTT-3.1.2-19]', '10 0D 0004 4D515454 05 42 000A 00 0000'],
    ['no client identifier field [MQTT-3.1.3-3]', '10 0B 0004 4D515454 05 02 000A 00'],
    ['bytes after the payload [MQTT-3.1.4-1]', '10 0E 0004 4D515454 05 02 000A 00 0000 00'],
    ['a session expiry twice', '10 17 0004 4D515454 05 02 000A 0A 1100000001 1100000001 0000'],
    ['authentication data alone in a will', '10 19 0004 4D515454 05 06 000A 00 0000 04 16000170 0001 74 0000 0000'],
  ])('with %s is not answered', async (_name, bytes) => {
    const bench = await Bench.started();
    const client = bench.open();
    expect(await client.say(hex(bytes))).toEqual([]);
    expect(client.closed).toBe(true);
    expect(bench.broker.describeConnections()).toEqual([]);
  });

  it('without an identifier gets one told [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]', async () => {
    const bench = await Bench.started();
    const first = await bench.connect('');
    const second = await bench.connect('');
    const ids = [...first.heard, ...second.heard].map((packet) =>
      packet.kind === 'connack' ? packet.properties.assignedClientIdentifier : undefined,
    );
    expect(ids[0]).toMatch(/^auto-/);
    expect(ids[1]).not.toBe(ids[0]);
  });

  it('of MQTT 3.1.1 without an identifier needs a clean session, 3.1.1 [MQTT-3.1.3-8]', async () => {
    const bench = await Bench.started();
    const { client, heard } = await bench.connect('', { version: 4, clean: false });
    expect(heard).toMatchObject([connack(2)]);
    expect(client.closed).toBe(true);
    expect((await bench.connect('', { version: 4 })).heard).toMatchObject([connack(0)]);
  });

  it('with an authentication method is refused with 0x8C [MQTT-4.12.0-1]', async () => {
    const bench = await Bench.started();
    const { client, heard } = await bench.connect('a', { properties: { authenticationMethod: 'SCRAM' } });
    expect(heard).toMatchObject([connack(0x8c)]);
    expect(client.closed).toBe(true);
  });

  it('is followed by CONNACK before anything else [MQTT-3.2.0-1], even for what was sent early', async () => {
    const bench = await Bench.started();
    const client = bench.open();
    const heard = await client.say(encodeConnect(connectPacket('a')), PINGREQ, subscribe('x'));
    expect(heard.map((packet) => packet.kind)).toEqual(['connack', 'pingresp', 'suback']);
  });

  it('tells the limits of this server, and the keep-alive in force (3.2.2.3.14)', async () => {
    const bench = await Bench.started({ profile: { ...MQTT_PROFILE, maxKeepAlive: 60 } });
    const { heard } = await bench.connect('a', { keepAlive: 120 });
    expect(heard).toMatchObject([
      {
        properties: { serverKeepAlive: 60, receiveMaximum: 1000, topicAliasMaximum: 10, maximumPacketSize: 1_048_576 },
      },
    ]);
    expect((await bench.connect('b', { keepAlive: 0 })).heard).toMatchObject([{ properties: { serverKeepAlive: 60 } }]);
    expect((await bench.connect('c', { keepAlive: 10 })).heard).not.toMatchObject([
      { properties: { serverKeepAlive: 60 } },
    ]);
  });

  it('that takes no packet as large as CONNACK gets none [MQTT-3.1.2-24]', async () => {
    const bench = await Bench.started();
    const { client, heard } = await bench.connect('a', { properties: { maximumPacketSize: 5 } });
    expect(heard).toEqual([]);
    expect(client.closed).toBe(true);
  });

  it('must come within five seconds, however slowly its bytes drip', async () => {
    const bench = await Bench.started();
    const client = bench.open();
    for (const byte of hex('10 20 00 04 4D')) {
      await client.say(Uint8Array.of(byte));
      await bench.advance(0.9);
    }
    expect(client.closed).toBe(false);
    await bench.advance(1);
    expect(client.closed).toBe(true);
  });

  it('is answered "server unavailable" when nobody can say who it is', async () => {
    const bench = await Bench.started();
    bench.admit = () => Promise.reject(new Error('database down'));
    expect((await bench.connect('a')).heard).toMatchObject([connack(0x88)]);
    expect((await bench.connect('a', { version: 4 })).heard).toMatchObject([connack(3)]);
    bench.admit = () => new Promise(() => undefined);
    const { client } = await bench.connect('a');
    await bench.advance(11);
    expect(await client.hear()).toMatchObject([connack(0x88)]);
  });
});

describe('sessions', () => {
  it('start clean when asked, and say so [MQTT-3.1.2-4] [MQTT-3.2.2-2]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', { properties: { sessionExpiryInterval: 100 } });
    await first.say(subscribe('x'), goodbye());
    const { client, heard } = await bench.connect('a', { clean: true });
    expect(heard).toMatchObject([connack(0, false)]);
    expect(topics(await client.say(encodePublish({ topic: 'x', payload: encodeUtf8('1') }, 5)))).toEqual([]);
  });

  it('go on when not asked to start clean [MQTT-3.1.2-5] [MQTT-3.2.2-3]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', { properties: { sessionExpiryInterval: 100 } });
    await first.say(subscribe('x'), goodbye());
    const { client, heard } = await bench.connect('a', { clean: false });
    expect(heard).toMatchObject([connack(0, true)]);
    expect(topics(await client.say(encodePublish({ topic: 'x', payload: encodeUtf8('1') }, 5)))).toEqual(['x']);
  });

  it('that are not there are new [MQTT-3.1.2-6]', async () => {
    const bench = await Bench.started();
    expect((await bench.connect('a', { clean: false })).heard).toMatchObject([connack(0, false)]);
  });

  it('end when their expiry has passed, not before [MQTT-3.1.2-23] [MQTT-4.1.0-2]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', { properties: { sessionExpiryInterval: 10 } });
    await first.say(goodbye());
    await bench.advance(9);
    const second = await bench.connect('a', { clean: false, properties: { sessionExpiryInterval: 10 } });
    expect(second.heard).toMatchObject([connack(0, true)]);
    await second.client.say(goodbye());
    await bench.advance(11);
    expect((await bench.connect('a', { clean: false })).heard).toMatchObject([connack(0, false)]);
  });

  it('change their expiry at DISCONNECT, but not from zero', async () => {
    const bench = await Bench.started();
    const bye = (seconds: number) =>
      encodeReasonPacket({ kind: 'disconnect', properties: { sessionExpiryInterval: seconds } }, 5);
    const first = await bench.client('a', { properties: { sessionExpiryInterval: 1 } });
    await first.say(bye(10));
    await bench.advance(5);
    const { client, heard } = await bench.connect('a', { clean: false, properties: { sessionExpiryInterval: 1 } });
    expect(heard).toMatchObject([connack(0, true)]);
    await client.say(bye(0));
    expect((await bench.connect('a', { clean: false })).heard).toMatchObject([connack(0, false)]);
    const zero = await bench.client('b');
    expect(await zero.say(bye(10))).toMatchObject([{ kind: 'disconnect', reason: 0x82 }]);
  });

  it('of MQTT 3.1.1 last without Clean Session and end with it, 3.1.1 [MQTT-3.1.2-4] [MQTT-3.1.2-6]', async () => {
    const bench = await Bench.started();
    const first = await bench.client('a', { version: 4, clean: false });
    first.pipe.drop();
    await bench.advance(3600);
    expect((await bench.connect('a', { version: 4, clean: false })).heard).toMatchObject([connack(0, true)]);
    await bench.client('a', { version: 4, clean: true });
    expect((await bench.connect('a', { version: 4, clean: false })).heard).toMatchObject([connack(0, false)]);
  });

  it('are taken over by a new connection, which the old one is told with 0x8E [MQTT-3.1.4-3]', async () => {
    const bench = await Bench.started();
    const old = await bench.client('a');
    const old4 = await bench.client('b', { version: 4 });
    await bench.client('a');
    await bench.client('b', { version: 4 });
    expect(await old.hear()).toMatchObject([{ kind: 'disconnect', reason: 0x8e }]);
    expect(await old4.hear()).toEqual([]);
    expect([old.closed, old4.closed]).toEqual([true, true]);
    expect(bench.broker.describeConnections()).toHaveLength(2);
  });

  it('longer than the server allows are told so', async () => {
    const bench = await Bench.started({ limits: { maxSessionExpirySeconds: 60 } });
    const { heard } = await bench.connect('a', { properties: { sessionExpiryInterval: 0xffff_ffff } });
    expect(heard).toMatchObject([{ properties: { sessionExpiryInterval: 60 } }]);
  });

  it('of a principal that may not persist end with the connection', async () => {
    const bench = await Bench.started();
    bench.principal('claim').persistentAllowed = false;
    const { client, heard } = await bench.connect('claim', { properties: { sessionExpiryInterval: 100 } });
    expect(heard).toMatchObject([{ properties: { sessionExpiryInterval: 0 } }]);
    client.pipe.drop();
    expect((await bench.connect('claim', { clean: false })).heard).toMatchObject([connack(0, false)]);
  });
});

describe('keep-alive', () => {
  it('lets a client be silent for one and a half times its length [MQTT-3.1.2-22]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', { keepAlive: 10 });
    await bench.advance(14);
    expect(client.closed).toBe(false);
    await bench.advance(2);
    expect(await client.hear()).toMatchObject([{ kind: 'disconnect', reason: 0x8d }]);
    expect(client.closed).toBe(true);
  });

  it('is met by any packet, and PINGREQ is answered [MQTT-3.12.4-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', { keepAlive: 10 });
    for (let round = 0; round < 4; round++) {
      await bench.advance(12);
      expect(await client.say(PINGREQ)).toEqual([{ kind: 'pingresp' }]);
    }
    expect(client.closed).toBe(false);
  });

  it('of zero is none', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', { keepAlive: 0 });
    await bench.advance(100_000);
    expect(client.closed).toBe(false);
  });
});

describe('the will', () => {
  it.each([4, 5] as const)('is published when the connection is lost, version %i [MQTT-3.1.2-8]', async (version) => {
    const bench = await Bench.started();
    const heir = await listener(bench);
    const client = await bench.client('a', { version, will: will({ qos: 1, properties: {} }) });
    client.pipe.drop();
    expect(await heir.hear()).toMatchObject([{ kind: 'publish', topic: 'will', qos: 1, retain: false }]);
  });

  it('is published after a protocol error and after silence [MQTT-3.1.2-8]', async () => {
    const bench = await Bench.started();
    const heir = await listener(bench, '#', { keepAlive: 0 });
    const rude = await bench.client('a', { will: will() });
    await rude.say(hex('82 00'));
    expect(topics(await heir.hear())).toEqual(['will']);
    await bench.client('b', { will: will(), keepAlive: 10 });
    await bench.advance(20);
    expect(topics(await heir.hear())).toEqual(['will']);
  });

  it('is deleted by a normal DISCONNECT and published by 0x04 [MQTT-3.1.2-10] [MQTT-3.14.4-3]', async () => {
    const bench = await Bench.started();
    const heir = await listener(bench);
    const polite = await bench.client('a', { will: will() });
    await polite.say(goodbye(0));
    expect(topics(await heir.hear())).toEqual([]);
    const telling = await bench.client('a', { will: will() });
    await telling.say(goodbye(4));
    expect(topics(await heir.hear())).toEqual(['will']);
  });

  it('is retained when it says so [MQTT-3.1.2-14] [MQTT-3.1.2-15]', async () => {
    const bench = await Bench.started();
    (await bench.client('a', { will: will({ retain: true }) })).pipe.drop();
    (await bench.client('b', { will: will({ topic: 'fleeting' }) })).pipe.drop();
    const late = await bench.client('late');
    const heard = await late.say(subscribe('#'));
    expect(heard).toMatchObject([{ kind: 'suback' }, { kind: 'publish', topic: 'will', retain: true }]);
  });

  it('keeps its user properties, in order, and its other properties [MQTT-3.1.3-10]', async () => {
    const bench = await Bench.started();
    const heir = await listener(bench);
    const properties = {
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
      contentType: 'x',
      willDelayInterval: 0,
    } as const;
    (await bench.client('a', { will: will({ properties }) })).pipe.drop();
    expect(await heir.hear()).toMatchObject([
      { properties: { userProperties: properties.userProperties, contentType: 'x' } },
    ]);
  });

  it('waits for its delay, and is cancelled when the session goes on [MQTT-3.1.3-9]', async () => {
    const bench = await Bench.started();
    const heir = await listener(bench, '#', { keepAlive: 0 });
    const options = { will: will({ properties: { willDelayInterval: 5 } }), properties: { sessionExpiryInterval: 60 } };
    (await bench.client('a', options)).pipe.drop();
    await bench.advance(4);
    expect(topics(await heir.hear())).toEqual([]);
    await bench.advance(2);
    expect(topics(await heir.hear())).toEqual(['will']);
    (await bench.client('a', options)).pipe.drop();
    await bench.advance(3);
    await bench.client('a', { ...options, clean: false, will: undefined });
    await bench.advance(30);
    expect(topics(await heir.hear())).toEqual([]);
  });

  it('does not outwait its session: the end of it publishes at once [MQTT-3.1.3-9]', async () => {
    const bench = await Bench.started();
    const heir = await listener(bench, '#', { keepAlive: 0 });
    const delayed = will({ properties: { willDelayInterval: 50 } });
    (await bench.client('a', { will: delayed })).pipe.drop();
    expect(topics(await heir.hear())).toEqual(['will']);
    (await bench.client('b', { will: delayed, properties: { sessionExpiryInterval: 3 } })).pipe.drop();
    await bench.advance(4);
    expect(topics(await heir.hear())).toEqual(['will']);
    (await bench.client('c', { will: delayed, properties: { sessionExpiryInterval: 90 } })).pipe.drop();
    await bench.client('c', { clean: true });
    expect(topics(await heir.hear())).toEqual(['will']);
  });

  it('is published when another connection takes the session over [MQTT-3.1.2-8]', async () => {
    const bench = await Bench.started();
    const heir = await listener(bench);
    await bench.client('a', { will: will() });
    await bench.client('a');
    expect(topics(await heir.hear())).toEqual(['will']);
  });
});

describe('DISCONNECT', () => {
  it('must have no reserved flag set [MQTT-3.14.1-1]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a');
    expect(await client.say(hex('E1 00'))).toMatchObject([{ kind: 'disconnect', reason: 0x81 }]);
  });

  it('ends the connection without an answer [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a');
    expect(await client.say(goodbye(), PINGREQ)).toEqual([]);
    expect(client.closed).toBe(true);
  });
});

describe('the server closing', () => {
  it('declares nobody gone whose will has a delay: it may come back', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', {
      properties: { sessionExpiryInterval: 60 },
      will: will({ retain: true, properties: { willDelayInterval: 30 } }),
    });
    await bench.broker.close();
    expect(client.closed).toBe(true);
    await bench.advance(40);
    expect(bench.broker.metrics.willsPublished).toBe(0);
  });

  it('tells MQTT 5 clients 0x8B and keeps their sessions', async () => {
    const bench = await Bench.started();
    const client = await bench.client('a', { properties: { sessionExpiryInterval: 10 } });
    const old = await bench.client('b', { version: 4 });
    const closed = bench.broker.close();
    expect(await client.hear()).toMatchObject([{ kind: 'disconnect', reason: 0x8b }]);
    expect(await old.hear()).toEqual([]);
    expect(old.closed).toBe(true);
    await closed;
    expect(bench.open().closed).toBe(true);
  });
});
