import { encodePublish, type MqttProperties, type Will } from '@holdfast/wire/mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProgram, startBrokerProgram } from '../testing/broker-program.ts';
import { SocketClient, told } from '../testing/socket-client.ts';
import type { ConnectOptions } from '../testing/test-core.ts';

let program: BrokerProgram;
let names = 0;

beforeAll(async () => {
  program = await startBrokerProgram();
});
afterAll(() => program.stop());

const branch = () => `five/${++names}`;
const named = () => `five-${++names}`;
const join = (clientId = named(), options: ConnectOptions = {}) =>
  SocketClient.connected(program.port, clientId, options);
const open = async (clientId = named(), options: ConnectOptions = {}) => (await join(clientId, options)).client;
const lasting = (seconds: number): MqttProperties => ({ sessionExpiryInterval: seconds });

function will(topic: string, willDelayInterval: number): Will {
  return { topic, payload: Buffer.from('gone'), qos: 1, retain: false, properties: { willDelayInterval } };
}

async function pause(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

describe('sessions of MQTT 5', () => {
  const present = async (name: string, properties: MqttProperties = {}) => {
    const { client, connack } = await join(name, { clean: false, properties });
    await client.disconnect();
    return connack.sessionPresent;
  };

  it('of expiry 0 end with the connection', async () => {
    const name = named();
    await (await open(name)).disconnect();
    expect(await present(name)).toBe(false);
  });

  it('last until their expiry, and no longer', async () => {
    const name = named();
    await (await open(name, { properties: lasting(1) })).disconnect();
    expect(await present(name, lasting(1))).toBe(true);
    await pause(1.3);
    expect(await present(name)).toBe(false);
  });

  it('take the expiry that DISCONNECT says, longer or shorter', async () => {
    const name = named();
    await (await open(name, { properties: lasting(1) })).disconnect(0, lasting(60));
    await pause(1.3);
    expect(await present(name, lasting(60))).toBe(true);
    await (await open(name, { clean: false, properties: lasting(60) })).disconnect(0, lasting(0));
    expect(await present(name)).toBe(false);
  });

  it('that never expire are told nothing else', async () => {
    const name = named();
    const { client, connack } = await join(name, { properties: lasting(0xffff_ffff) });
    expect(connack.properties.sessionExpiryInterval).toBeUndefined();
    await client.disconnect();
    expect(await present(name)).toBe(true);
  });
});

describe('CONNACK of MQTT 5', () => {
  it('assigns an identifier that can be used again', async () => {
    const { client, connack } = await join('', { properties: lasting(60) });
    const assigned = connack.properties.assignedClientIdentifier ?? '';
    expect(assigned).not.toBe('');
    await client.disconnect();
    expect((await join(assigned, { clean: false })).connack.sessionPresent).toBe(true);
  });

  it('says the keep-alive in force', async () => {
    expect((await join(named(), { keepAlive: 120 })).connack.properties.serverKeepAlive).toBe(60);
    expect((await join(named(), { keepAlive: 20 })).connack.properties.serverKeepAlive).toBeUndefined();
  });
});

describe('messages of MQTT 5', () => {
  it('carry user properties, payload format, content type and a request, unaltered', async () => {
    const topic = branch();
    const client = await open();
    await client.subscribe([{ text: topic, qos: 2 }]);
    const properties: MqttProperties = {
      payloadFormatIndicator: 1,
      contentType: 'My name',
      responseTopic: `${topic}/answers`,
      correlationData: Uint8Array.of(0x33, 0x34),
      userProperties: [
        ['a', '2'],
        ['c', '3'],
        ['a', '2'],
      ],
    };
    for (const qos of [0, 1, 2] as const) await client.publish(topic, 'x', { qos, properties });
    for (const message of await client.received(3)) {
      expect({ ...message.properties, correlationData: undefined }).toEqual({
        ...properties,
        correlationData: undefined,
      });
      expect([...(message.properties.correlationData ?? [])]).toEqual([0x33, 0x34]);
    }
  });

  it('go back and forth as request and response', async () => {
    const topic = branch();
    const [asking, answering] = [await open(), await open()];
    await asking.subscribe([{ text: `${topic}/answers`, qos: 2 }]);
    await answering.subscribe([{ text: topic, qos: 2 }]);
    const correlationData = Buffer.from('334');
    await asking.publish(topic, 'request', {
      qos: 1,
      properties: { responseTopic: `${topic}/answers`, correlationData },
    });
    const [request] = await answering.received(1);
    await answering.publish(request?.properties.responseTopic ?? '', 'response', {
      qos: 1,
      properties: { correlationData: request?.properties.correlationData ?? new Uint8Array(0) },
    });
    const [response] = await asking.received(1);
    expect(Buffer.from(response?.properties.correlationData ?? []).toString()).toBe('334');
  });

  it('that have expired are not delivered, the others say what is left', async () => {
    const topic = branch();
    const name = named();
    const away = await open(name, { properties: lasting(60) });
    await away.subscribe([{ text: topic, qos: 2 }]);
    await away.disconnect();
    const sender = await open();
    for (const qos of [1, 2] as const) {
      await sender.publish(topic, `short ${qos}`, { qos, properties: { messageExpiryInterval: 1 } });
      await sender.publish(topic, `long ${qos}`, { qos, properties: { messageExpiryInterval: 6 } });
    }
    await pause(2.1);
    const client = await open(name, { clean: false, properties: lasting(60) });
    const messages = await client.received(2);
    await client.settled();
    expect(told(messages)).toEqual(['long 1', 'long 2']);
    for (const { properties } of messages) expect(properties.messageExpiryInterval).toBeLessThan(6);
  });

  it('arrive by aliases of the client, up to the maximum the server named', async () => {
    const topic = branch();
    const { client, connack } = await join();
    const topicAlias = connack.properties.topicAliasMaximum ?? 0;
    expect(topicAlias).toBeGreaterThan(0);
    await client.subscribe([{ text: topic, qos: 2 }]);
    await client.publish(topic, 'one', { qos: 1, properties: { topicAlias } });
    await client.publish('', 'two', { qos: 1, properties: { topicAlias } });
    expect((await client.received(2)).map((message) => message.topic)).toEqual([topic, topic]);
    client.write(encodePublish({ topic, payload: Buffer.from('x'), properties: { topicAlias: topicAlias + 1 } }, 5));
    expect(await client.answer('disconnect')).toMatchObject({ reason: 0x94 });
    const stale = await open();
    stale.write(encodePublish({ topic: '', payload: Buffer.from('x'), properties: { topicAlias } }, 5));
    expect(await stale.answer('disconnect')).toMatchObject({ reason: 0x82 });
  });

  it('come by aliases of the server when the client takes them', async () => {
    const topic = branch();
    const client = await open(named(), { properties: { topicAliasMaximum: 1 } });
    await client.subscribe([{ text: topic, qos: 2 }]);
    for (const qos of [0, 1, 2] as const) await client.publish(topic, `${qos}`, { qos });
    const messages = await client.received(3);
    expect(messages.map((message) => message.topic)).toEqual([topic, '', '']);
    expect(messages.map(({ properties }) => properties.topicAlias)).toEqual([1, 1, 1]);
  });

  it('over the maximum packet size are refused, or withheld from who cannot take them', async () => {
    const topic = branch();
    const { client, connack } = await join(named(), { properties: { maximumPacketSize: 64 } });
    await client.subscribe([{ text: topic, qos: 2 }]);
    const sender = await open();
    for (const size of [10, 200, 11]) await sender.publish(topic, '.'.repeat(size), { qos: 2 });
    await client.received(2);
    await client.settled();
    expect(told(client.messages).map(({ length }) => length)).toEqual([10, 11]);
    sender.write(
      encodePublish({ topic, payload: new Uint8Array(connack.properties.maximumPacketSize ?? 0), qos: 0 }, 5),
    );
    expect(await sender.answer('disconnect')).toMatchObject({ reason: 0x95 });
  });
});

describe('flow control of MQTT 5', () => {
  it('ends a client that exceeds the receive maximum of the server', async () => {
    const topic = branch();
    const { client, connack } = await join();
    const maximum = connack.properties.receiveMaximum ?? 65_535;
    for (let packetId = 1; packetId <= maximum + 1; packetId++) {
      client.write(encodePublish({ topic, payload: Buffer.from('a'), qos: 2, packetId }, 5));
    }
    expect(await client.answer('disconnect')).toMatchObject({ reason: 0x93 });
    await client.until(() => client.closed);
  });

  it('keeps the server to the receive maximum of the client', async () => {
    const topic = branch();
    const client = await open(named(), { properties: { receiveMaximum: 5 } });
    client.acknowledges = false;
    await client.subscribe([{ text: topic, qos: 2 }]);
    const sender = await open();
    for (let n = 0; n < 12; n++) await sender.publish(topic, `${n}`, { qos: n % 2 === 0 ? 1 : 2 });
    await client.received(5);
    await client.settled();
    expect(client.messages).toHaveLength(5);
    client.acknowledges = true;
    for (const { packetId, qos } of client.messages) client.acknowledge(qos === 1 ? 'puback' : 'pubrec', packetId);
    expect(told(await client.received(12))).toEqual(Array.from({ length: 12 }, (_, n) => `${n}`));
  });
});

describe('subscriptions of MQTT 5', () => {
  it('that overlap give one copy with both identifiers; two clients get one each', async () => {
    const topic = branch();
    const [both, other] = [await open(), await open()];
    await both.subscribe([{ text: topic, qos: 2 }], { subscriptionIdentifiers: [2] });
    await both.subscribe([{ text: `${topic}/#`, qos: 1 }], { subscriptionIdentifiers: [3] });
    await other.subscribe([{ text: topic, qos: 2 }], { subscriptionIdentifiers: [123_456_789] });
    await other.publish(topic, 'x', { qos: 1 });
    await Promise.all([both.received(1), other.received(1)]);
    await Promise.all([both.settled(), other.settled()]);
    expect(both.messages.map(({ properties }) => new Set(properties.subscriptionIdentifiers))).toEqual([
      new Set([2, 3]),
    ]);
    expect(other.messages.map(({ properties }) => properties.subscriptionIdentifiers)).toEqual([[123_456_789]]);
  });

  it('hear nothing of their own with No Local', async () => {
    const topic = branch();
    const [client, other] = [await open(), await open()];
    await client.subscribe([{ text: topic, qos: 2, noLocal: true }]);
    await other.subscribe([{ text: topic, qos: 2, noLocal: true }]);
    await client.publish(topic, 'x', { qos: 1 });
    await other.received(1);
    await client.settled();
    expect(client.messages).toEqual([]);
  });

  it('see the RETAIN flag as published when they ask', async () => {
    const topic = branch();
    const [asking, plain] = [await open(), await open()];
    await asking.subscribe([{ text: topic, qos: 2, retainAsPublished: true }]);
    await plain.subscribe([{ text: topic, qos: 2 }]);
    await plain.publish(topic, 'retained', { qos: 1, retain: true });
    await plain.publish(topic, 'not', { qos: 1 });
    expect((await asking.received(2)).map(({ retain }) => retain)).toEqual([true, false]);
    expect((await plain.received(2)).map(({ retain }) => retain)).toEqual([false, false]);
  });

  it.each([
    [0, [1, 2]],
    [1, [1, 1]],
    [2, [0, 0]],
  ] as const)('get retained messages as Retain Handling %i says', async (retainHandling, counts) => {
    const topic = branch();
    const client = await open();
    await client.publish(topic, 'x', { qos: 1, retain: true });
    for (const count of counts) {
      await client.subscribe([{ text: `${topic}/#`, qos: 2, retainHandling }]);
      await client.settled();
      expect(client.messages).toHaveLength(count);
    }
  });

  it('are named in UNSUBACK: ended, or never there', async () => {
    const topic = branch();
    const client = await open();
    await client.subscribe([{ text: topic, qos: 2 }]);
    expect((await client.unsubscribe(topic, `${topic}/other`)).reasons).toEqual([0, 0x11]);
    expect((await client.unsubscribe(topic)).reasons).toEqual([0x11]);
  });

  it('that are shared divide messages among their members, and spare the others', async () => {
    const topic = branch();
    const members = [await open(), await open()];
    for (const member of members) await member.subscribe([{ text: `$share/group/${topic}`, qos: 2 }]);
    const whole = await open();
    await whole.subscribe([{ text: topic, qos: 2 }]);
    for (let n = 0; n < 10; n++) await whole.publish(topic, `${n}`, { qos: 1 });
    await whole.received(10);
    const shared = () => members.reduce((sum, { messages }) => sum + messages.length, 0);
    await Promise.all(members.map((member) => member.settled()));
    expect(shared()).toBe(10);
    for (const { messages } of members) expect(messages.length).toBeGreaterThan(0);
  });
});

describe('wills of MQTT 5', () => {
  it('wait for their delay, not longer than the session, and not when it goes on', async () => {
    const topic = branch();
    const heir = await open();
    await heir.subscribe([{ text: `${topic}/#`, qos: 2 }]);
    const since = Date.now();
    const waits: Record<string, number> = {};
    const leave = async (leaf: string, delay: number, expiry: number) => {
      const name = named();
      (await open(name, { will: will(`${topic}/${leaf}`, delay), properties: lasting(expiry) })).drop();
      return name;
    };
    await leave('at-once', 30, 0);
    await leave('delayed', 1, 60);
    await leave('session', 30, 2);
    const back = await leave('never', 1, 60);
    await (await join(back, { clean: false, properties: lasting(60) })).client.settled();
    await heir.until(() => {
      for (const message of heir.messages) waits[message.topic.slice(topic.length + 1)] ??= Date.now() - since;
      return heir.messages.length === 3;
    });
    expect(Object.keys(waits)).toEqual(['at-once', 'delayed', 'session']);
    expect(waits['delayed']).toBeGreaterThanOrEqual(1_000);
    expect(waits['session']).toBeGreaterThanOrEqual(2_000);
  });

  it('are left by a DISCONNECT that asks for it', async () => {
    const topic = branch();
    const heir = await open();
    await heir.subscribe([{ text: topic, qos: 2 }]);
    await (await open(named(), { will: will(topic, 0) })).disconnect(4);
    expect(told(await heir.received(1))).toEqual(['gone']);
  });
});

describe('what MQTT 5 is told', () => {
  it('when another takes the session', async () => {
    const name = named();
    const old = await open(name);
    await open(name);
    expect(await old.answer('disconnect')).toMatchObject({ reason: 0x8e });
  });

  it('when it is silent too long', async () => {
    const client = await open(named(), { keepAlive: 1 });
    expect(await client.answer('disconnect')).toMatchObject({ reason: 0x8d });
  });

  it('when it asks for an authentication method', async () => {
    const { connack } = await join(named(), { properties: { authenticationMethod: 'SCRAM-SHA-1' } });
    expect(connack.reason).toBe(0x8c);
  });
});
