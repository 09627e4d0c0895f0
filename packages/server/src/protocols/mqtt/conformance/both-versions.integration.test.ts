import { encodePublish, type Will } from '@holdfast/wire/mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProgram, startBrokerProgram } from '../testing/broker-program.ts';
import { SocketClient, told } from '../testing/socket-client.ts';

const PERSISTENT = { clean: false, properties: { sessionExpiryInterval: 3600 } } as const;
const QOS = [0, 1, 2] as const;

let program: BrokerProgram;
let names = 0;

beforeAll(async () => {
  program = await startBrokerProgram();
});
afterAll(() => program.stop());

describe.each([4, 5] as const)('clients of version %i on sockets', (version) => {
  /** A branch of the topic tree of its own. */
  const branch = () => `v${version}/${++names}`;
  const named = () => `client-${version}-${++names}`;
  const open = async (clientId = named(), options = {}) =>
    (await SocketClient.connected(program.port, clientId, { version, ...options })).client;
  const will = (topic: string): Will => ({
    topic,
    payload: Buffer.from('gone'),
    qos: 2,
    retain: false,
    properties: {},
  });

  it('exchange messages of every QoS with themselves', async () => {
    const root = branch();
    const client = await open();
    await client.subscribe([{ text: `${root}/#`, qos: 2 }]);
    for (const qos of QOS) await client.publish(`${root}/a`, `qos ${qos}`, { qos });
    const messages = await client.received(3);
    expect(told(messages)).toEqual(['qos 0', 'qos 1', 'qos 2']);
    expect(messages.map(({ qos }) => qos)).toEqual([0, 1, 2]);
    await client.disconnect();
  });

  it('get retained messages, until an empty one removes them', async () => {
    const root = branch();
    const sender = await open();
    for (const qos of QOS) await sender.publish(`${root}/${qos}`, `qos ${qos}`, { qos, retain: true });
    const client = await open();
    await client.subscribe([{ text: `${root}/+`, qos: 2 }]);
    const messages = await client.received(3);
    expect(messages.map(({ retain }) => retain)).toEqual([true, true, true]);
    expect(told(messages).sort()).toEqual(['qos 0', 'qos 1', 'qos 2']);
    for (const qos of QOS) await sender.publish(`${root}/${qos}`, '', { qos, retain: true });
    const late = await open();
    await late.subscribe([{ text: `${root}/#`, qos: 2 }]);
    await late.settled();
    expect(late.messages).toEqual([]);
  });

  it('leave their will when they vanish, and none when they say goodbye', async () => {
    const topic = branch();
    const heir = await open();
    await heir.subscribe([{ text: topic, qos: 2 }]);
    const polite = await open(named(), { will: will(topic) });
    await polite.disconnect();
    const rude = await open(named(), { will: will(topic) });
    rude.drop();
    expect(told(await heir.received(1))).toEqual(['gone']);
    await heir.settled();
    expect(heir.messages).toHaveLength(1);
  });

  it('leave their will when they are silent for one and a half keep-alives', async () => {
    const topic = branch();
    const heir = await open(named(), { keepAlive: 0 });
    await heir.subscribe([{ text: topic, qos: 2 }]);
    const since = Date.now();
    const silent = await open(named(), { keepAlive: 1, will: will(topic) });
    await heir.received(1);
    expect(Date.now() - since).toBeGreaterThanOrEqual(1_500);
    await silent.until(() => silent.closed);
  });

  it('find what was published while they were away, QoS 1 and 2 at least', async () => {
    const root = branch();
    const name = named();
    const first = await open(name, PERSISTENT);
    await first.subscribe([{ text: `${root}/#`, qos: 2 }]);
    await first.disconnect();
    const sender = await open();
    for (const qos of QOS) await sender.publish(`${root}/a`, `qos ${qos}`, { qos });
    const { client, connack } = await SocketClient.connected(program.port, name, { version, ...PERSISTENT });
    expect(connack.sessionPresent).toBe(true);
    expect(told(await client.received(2))).toEqual(['qos 1', 'qos 2']);
    await client.settled();
    expect(client.messages).toHaveLength(2);
  });

  it('get what they did not acknowledge again, same identifiers, DUP set', async () => {
    const root = branch();
    const name = named();
    const first = await open(name, PERSISTENT);
    first.acknowledges = false;
    await first.subscribe([{ text: `${root}/#`, qos: 2 }]);
    const sender = await open();
    await sender.publish(`${root}/a`, 'one', { qos: 1 });
    await sender.publish(`${root}/a`, 'two', { qos: 2 });
    const before = (await first.received(2)).map(({ packetId }) => packetId);
    first.drop();
    const client = await open(name, PERSISTENT);
    const again = await client.received(2);
    expect(told(again)).toEqual(['one', 'two']);
    expect(again.map(({ dup }) => dup)).toEqual([true, true]);
    expect(again.map(({ packetId }) => packetId)).toEqual(before);
    await client.settled();
    await client.disconnect();
    const third = await open(name, PERSISTENT);
    await third.settled();
    expect(third.messages).toEqual([]);
  });

  it('get one copy at the highest QoS of overlapping subscriptions', async () => {
    const root = branch();
    const client = await open();
    await client.subscribe([
      { text: `${root}/+`, qos: 2 },
      { text: `${root}/#`, qos: 1 },
    ]);
    await client.publish(`${root}/a`, 'overlapping', { qos: 2 });
    await client.received(1);
    await client.settled();
    expect(client.messages).toMatchObject([{ qos: 2 }]);
  });

  it('are told which subscription is not allowed', async () => {
    const client = await open();
    const answer = await client.subscribe([
      { text: 'test/nosubscribe', qos: 2 },
      { text: branch(), qos: 2 },
    ]);
    expect(answer.reasons).toEqual([0x80, 2]);
  });

  it('do not see topics that begin with $ through wildcards', async () => {
    const root = branch();
    const client = await open();
    await client.subscribe([{ text: `+/${root}`, qos: 2 }]);
    await client.publish(`$${root}/${root}`, 'hidden', { qos: 1 });
    await client.publish(`x/${root}`, 'shown', { qos: 1 });
    await client.received(1);
    await client.settled();
    expect(told(client.messages)).toEqual(['shown']);
  });

  it('hear nothing any more of what they unsubscribed', async () => {
    const root = branch();
    const client = await open();
    await client.subscribe(['a', 'b', 'c'].map((leaf) => ({ text: `${root}/${leaf}`, qos: 2 })));
    await client.unsubscribe(`${root}/a`);
    for (const leaf of ['a', 'b', 'c']) await client.publish(`${root}/${leaf}`, leaf, { qos: 1 });
    await client.received(2);
    await client.settled();
    expect(told(client.messages)).toEqual(['b', 'c']);
  });

  it('publish a batch at every QoS without losing or turning one', async () => {
    const root = branch();
    const client = await open();
    await client.subscribe([{ text: root, qos: 2 }]);
    const sender = await open();
    const wanted: string[] = [];
    for (let n = 1; n <= 300; n++) {
      const qos = QOS[n % 3] ?? 0;
      wanted.push(`${n}`);
      sender.write(
        encodePublish({ topic: root, payload: Buffer.from(`${n}`), qos, packetId: qos === 0 ? 0 : n }, version),
      );
      if (qos !== 2) continue;
      await sender.until(() => sender.control.some((packet) => packet.kind === 'pubrec' && packet.packetId === n));
      sender.acknowledge('pubrel', n);
    }
    expect(told(await client.received(300))).toEqual(wanted);
  });

  it('that take a client identifier over end the one before', async () => {
    const name = named();
    const old = await open(name);
    const next = await open(name);
    await old.until(() => old.closed);
    await next.settled();
  });

  it('without an identifier are taken when their session is clean', async () => {
    const { connack } = await SocketClient.connected(program.port, '', { version });
    expect(connack.reason).toBe(0);
    const { connack: lasting } = await SocketClient.connected(program.port, '', { version, clean: false });
    expect(lasting.reason).toBe(version === 4 ? 2 : 0);
  });
});
