import { encodeUtf8 } from '@holdfast/kernel';
import {
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeReasonPacket,
  encodeSubscribe,
  type MqttPacket,
  type PublishPacket,
} from '@holdfast/wire/mqtt';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from './memory-store.ts';
import type { AdmitVerdict, ConnectionInfo, ReservedAsker } from './ports.ts';
import { Bench, connectPacket } from './testing/test-core.ts';

const X = encodeUtf8('x');
const GOODBYE = encodeReasonPacket({ kind: 'disconnect' }, 5);
const PERSISTENT = { properties: { sessionExpiryInterval: 1000 } };

function published(packets: readonly MqttPacket[]): PublishPacket[] {
  return packets.filter((packet) => packet.kind === 'publish');
}
const topics = (packets: readonly MqttPacket[]) => published(packets).map(({ topic }) => topic);
const publish = (topic: string, qos: 0 | 1 | 2 = 0, version: 4 | 5 = 5, retain = false) =>
  encodePublish({ topic, payload: X, qos, packetId: qos === 0 ? 0 : 3, retain }, version);
const subscribe = (text: string, qos: 0 | 1 | 2 = 1, version: 4 | 5 = 5) =>
  encodeSubscribe({ packetId: 1, subscriptions: [{ text, qos }] }, version);
const release = encodeAck({ kind: 'pubrel', packetId: 3 }, 5);
const willOn = (topic: string) => ({ topic, payload: X, qos: 0 as const, retain: false, properties: {} });

describe('the policy', () => {
  it('denies publishes in the words of each version, and reports them', async () => {
    const bench = await Bench.started();
    for (const version of [4, 5] as const) bench.principal(`p${version}`).publishes = () => false;
    const five = await bench.client('p5');
    expect(await five.say(publish('t', 1), publish('t', 2), publish('t'))).toMatchObject([
      { kind: 'puback', reason: 0x87 },
      { kind: 'pubrec', reason: 0x87 },
    ]);
    expect(five.closed).toBe(false);
    expect(bench.principal('p5').violations).toHaveLength(3);
    const four = await bench.client('p4', { version: 4 });
    expect(await four.say(publish('t', 0, 4))).toEqual([]);
    expect(four.closed).toBe(false);
    expect(await four.say(publish('t', 1, 4))).toEqual([]);
    expect(four.closed).toBe(true);
    expect(bench.principal('p4').violations).toEqual([
      ['publish', 't'],
      ['publish', 't'],
    ]);
  });

  it('refuses a connection whose will it does not allow (aedes advisory 457)', async () => {
    const bench = await Bench.started();
    bench.principal('a').publishes = (topic) => topic !== 'forbidden';
    const { client, heard } = await bench.connect('a', { will: willOn('forbidden') });
    expect(heard).toMatchObject([{ kind: 'connack', reason: 0x87 }]);
    expect(client.closed).toBe(true);
    expect(bench.principal('a').violations).toEqual([['will', 'forbidden']]);
    expect((await bench.connect('a', { version: 4, will: willOn('forbidden') })).heard).toMatchObject([{ reason: 5 }]);
    expect((await bench.connect('a', { will: willOn('$SYS/x') })).heard).toMatchObject([{ reason: 0x87 }]);
  });

  it('never publishes the will of a refused login (EMQX issue 8978)', async () => {
    const bench = await Bench.started();
    const heir = await bench.client('heir');
    await heir.say(subscribe('#'));
    bench.admit = () => Promise.resolve({ kind: 'refused', returnCode: 5, reason: 0x87 });
    const { heard } = await bench.connect('a', { will: willOn('w') });
    expect(heard).toMatchObject([{ kind: 'connack', reason: 0x87 }]);
    expect(topics(await heir.hear())).toEqual([]);
  });

  it('is asked when the will fires, not only when it was left', async () => {
    const bench = await Bench.started();
    const heir = await bench.client('heir');
    await heir.say(subscribe('#'));
    const client = await bench.client('a', { will: willOn('w') });
    bench.principal('a').publishes = () => false;
    client.pipe.drop();
    expect(topics(await heir.hear())).toEqual([]);
    expect(bench.broker.metrics.willsDenied).toBe(1);
  });

  it('is asked at every delivery: a right removed ends delivery in the same session', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    const sender = await bench.client('p');
    await client.say(subscribe('#'));
    await sender.say(publish('a'));
    bench.principal('s').receives = (topic) => topic !== 'a';
    await sender.say(publish('a'), publish('a', 1), publish('b'));
    expect(topics(await client.hear())).toEqual(['a', 'b']);
  });

  it('is asked when a queue is replayed after a reconnect (CVE-2021-34434)', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', PERSISTENT);
    await client.say(subscribe('#'), GOODBYE);
    const sender = await bench.client('p');
    await sender.say(publish('secret', 1), publish('open', 1));
    bench.principal('s').receives = (topic) => topic !== 'secret';
    expect(topics((await bench.connect('s', { clean: false, ...PERSISTENT })).heard)).toEqual(['open']);
  });

  it('is asked when what was in flight is sent again', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', PERSISTENT);
    await client.say(subscribe('#'));
    await (await bench.client('p')).say(publish('secret', 1));
    client.pipe.drop();
    bench.principal('s').receives = () => false;
    expect(topics((await bench.connect('s', { clean: false, ...PERSISTENT })).heard)).toEqual([]);
  });

  it('is asked when retained messages answer a subscription', async () => {
    const bench = await Bench.started();
    await (await bench.client('p')).say(publish('secret', 0, 5, true), publish('open', 0, 5, true));
    bench.principal('s').receives = (topic) => topic !== 'secret';
    const client = await bench.client('s');
    expect(topics(await client.say(subscribe('#')))).toEqual(['open']);
  });

  it('is asked again at PUBREL: a half QoS 2 exchange does not outlive a right (mosquitto 2.0 ChangeLog)', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s');
    await client.say(subscribe('#'));
    const sender = await bench.client('p', PERSISTENT);
    await sender.say(publish('t', 2));
    sender.pipe.drop();
    bench.principal('p').publishes = () => false;
    const { client: again } = await bench.connect('p', { clean: false, ...PERSISTENT });
    expect(await again.say(release)).toMatchObject([{ kind: 'pubcomp' }]);
    expect(topics(await client.hear())).toEqual([]);
    expect(bench.principal('p').violations).toEqual([['publish', 't']]);
  });

  it('decides which member of a shared subscription may have a message', async () => {
    const bench = await Bench.started();
    for (const name of ['a', 'b']) await (await bench.client(name)).say(subscribe('$share/g/#'));
    bench.principal('a').receives = () => false;
    const sender = await bench.client('p');
    await sender.say(publish('t'), publish('t'));
    expect(bench.broker.metrics.messagesSent).toBe(2);
    expect(bench.broker.metrics.deliveriesDenied).toBe(0);
  });

  it('keeps realms apart', async () => {
    const bench = await Bench.started();
    bench.admit = ({ clientId }) => {
      const [realm = ''] = clientId.split('-');
      const principal = Object.assign(bench.principal(clientId), { realm });
      return Promise.resolve({ kind: 'admitted', principal });
    };
    const mine = await bench.client('one-s');
    const theirs = await bench.client('two-s');
    for (const client of [mine, theirs]) await client.say(subscribe('#'));
    await (await bench.client('one-p')).say(publish('t', 0, 5, true));
    expect(topics(await mine.hear())).toEqual(['t']);
    expect(topics(await theirs.hear())).toEqual([]);
    expect(topics(await (await bench.client('two-late')).say(subscribe('#')))).toEqual([]);
  });

  // A reply that another client forges would let a device keep firmware that nobody accepted.
  it.each([
    '$SYS/broker/uptime',
    '$SYS',
    '$aws/things/x/shadow/update',
    '$holdfast/things/heir/evidence/accepted',
    '$share/g/t',
  ])('does not let clients publish to %s, whatever their policy (aedes issue 597)', async (topic) => {
    const bench = await Bench.started();
    const heir = await bench.client('heir');
    for (const text of ['$SYS/#', '$aws/#', '$holdfast/#']) await heir.say(subscribe(text));
    const client = await bench.client('p');
    expect(await client.say(publish(topic, 1))).toMatchObject([{ kind: 'puback', reason: 0x87 }]);
    expect((await bench.connect('w', { will: willOn(topic) })).heard).toMatchObject([{ reason: 0x87 }]);
    expect(topics(await heir.hear())).toEqual([]);
  });
});

describe('reserved topics', () => {
  async function routed(answer: (asker: ReservedAsker, topic: string) => Promise<void> | void): Promise<Bench> {
    return Bench.started({
      reserved: {
        claims: (topic) => topic.startsWith('$aws/things/'),
        publish: (asker, topic) => answer(asker, topic),
      },
    });
  }

  it('are answered to the asking connection alone, whether it subscribed or not', async () => {
    const bench = await routed((asker, topic) => asker.reply(`${topic}/accepted`, X));
    const asker = await bench.client('asker');
    const other = await bench.client('other');
    await other.say(subscribe('$aws/#'));
    const heard = await asker.say(publish('$aws/things/a/jobs/get', 1));
    expect(topics(heard)).toEqual(['$aws/things/a/jobs/get/accepted']);
    expect(heard.find((packet) => packet.kind === 'puback')).toMatchObject({ reason: 0 });
    expect(topics(await other.hear())).toEqual([]);
  });

  it('are answered once, at QoS 1 to those who subscribed with 1', async () => {
    const bench = await routed((asker, topic) => asker.reply(`${topic}/accepted`, X));
    const asker = await bench.client('asker');
    await asker.say(subscribe('$aws/things/+/jobs/#', 1));
    expect(published(await asker.say(publish('$aws/things/a/jobs/get')))).toMatchObject([{ qos: 1 }]);
  });

  it('are policed both ways, save the replies the router marks', async () => {
    const bench = await routed((asker, topic) => {
      asker.reply(`${topic}/plain`, X);
      asker.reply(`${topic}/jobs`, X, { unpoliced: true });
    });
    bench.principal('asker').receives = () => false;
    bench.principal('asker').publishes = (topic) => topic.startsWith('$aws/things/asker');
    const asker = await bench.client('asker');
    expect(topics(await asker.say(publish('$aws/things/asker/x')))).toEqual(['$aws/things/asker/x/jobs']);
    expect(await asker.say(publish('$aws/things/other/x', 1))).toMatchObject([{ kind: 'puback', reason: 0x87 }]);
  });

  it('are acknowledged when the router is done, with 0x80 when it failed', async () => {
    let finish = (): void => undefined;
    const bench = await routed((_asker, topic) =>
      topic.endsWith('fail')
        ? Promise.reject(new Error('broken'))
        : new Promise((resolve) => {
            finish = resolve;
          }),
    );
    const asker = await bench.client('asker');
    expect(await asker.say(publish('$aws/things/a/slow', 1))).toEqual([]);
    finish();
    expect(await asker.hear()).toMatchObject([{ kind: 'puback', reason: 0 }]);
    expect(await asker.say(publish('$aws/things/a/fail', 1))).toMatchObject([{ kind: 'puback', reason: 0x80 }]);
    const old = await bench.client('old', { version: 4 });
    await old.say(publish('$aws/things/a/fail', 1, 4));
    expect(old.closed).toBe(true);
  });

  it('reach the router at QoS 2 when the message is released', async () => {
    const seen: string[] = [];
    const bench = await routed((_asker, topic) => void seen.push(topic));
    const asker = await bench.client('asker');
    await asker.say(publish('$aws/things/a/x', 2));
    expect(seen).toEqual([]);
    expect(await asker.say(release)).toMatchObject([{ kind: 'pubcomp' }]);
    expect(seen).toEqual(['$aws/things/a/x']);
  });

  it('let the server speak to one session by what it subscribed', async () => {
    const bench = await Bench.started();
    const client = await bench.client('s', PERSISTENT);
    await client.say(subscribe('$aws/things/s/jobs/notify', 1));
    const say = (topic: string) => bench.broker.publishToSession('key:s', topic, X, 2);
    expect(say('$aws/things/s/jobs/notify')).toBe('sent');
    expect(say('$aws/things/s/jobs/other')).toBe('not-subscribed');
    expect(bench.broker.publishToSession('key:none', 't', X)).toBe('no-session');
    expect(published(await client.hear())).toMatchObject([{ topic: '$aws/things/s/jobs/notify', qos: 1 }]);
    await client.say(GOODBYE);
    expect(say('$aws/things/s/jobs/notify')).toBe('queued');
    expect(topics((await bench.connect('s', { clean: false })).heard)).toHaveLength(2);
  });
});

describe('a cut', () => {
  const all = (): boolean => true;

  it('ends the connection with 0x98, or plainly for MQTT 3.1.1, and publishes no will', async () => {
    const bench = await Bench.started();
    const heir = await bench.client('heir');
    await heir.say(subscribe('#'));
    const five = await bench.client('five', { will: willOn('w') });
    const four = await bench.client('four', { version: 4, will: willOn('w') });
    const outcome = bench.broker.cut(({ sessionKey }) => sessionKey === 'key:five' || sessionKey === 'key:four');
    expect(outcome.connections).toBe(2);
    expect(await five.hear()).toMatchObject([{ kind: 'disconnect', reason: 0x98 }]);
    expect(await four.hear()).toEqual([]);
    expect([five.closed, four.closed, heir.closed]).toEqual([true, true, false]);
    expect(topics(await heir.hear())).toEqual([]);
    expect(bench.broker.cut(({ sessionKey }) => sessionKey === 'key:five').connections).toBe(0);
  });

  it('finds a connection whose admission is under way: it gets no CONNACK', async () => {
    const bench = await Bench.started();
    let answer = (_verdict: AdmitVerdict): void => undefined;
    bench.admit = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const client = bench.open(5, '192.0.2.1:5');
    await client.say(encodeConnect(connectPacket('late')));
    const outcome = bench.broker.cut(
      ({ peer, principal }) => peer?.address === '192.0.2.1:5' && principal === undefined,
    );
    expect(outcome.connections).toBe(1);
    answer({ kind: 'admitted', principal: bench.principal('late') });
    expect(await client.hear()).toEqual([]);
    expect(client.closed).toBe(true);
    expect(bench.broker.describeConnections()).toEqual([]);
  });

  it('purges the queue, the subscriptions and the retained messages of who is cut (CVE-2018-12546)', async () => {
    const bench = await Bench.started();
    const bad = await bench.client('bad', PERSISTENT);
    const sender = await bench.client('p');
    await bad.say(subscribe('#'), publish('poison', 1, 5, true));
    await sender.say(publish('kept', 1, 5, true));
    const selects = ({ sessionKey }: { sessionKey: string | undefined }) => sessionKey === 'key:bad';
    expect(bench.broker.cut(selects, { purgeSession: true, purgeRetained: true })).toEqual({
      connections: 1,
      sessions: 1,
      retained: 1,
    });
    expect((await bench.connect('bad', { clean: false })).heard).toMatchObject([{ sessionPresent: false }]);
    expect(topics(await (await bench.client('s')).say(subscribe('#')))).toEqual(['kept']);
    expect(bench.broker.cut(() => false, { purgeSession: true })).toEqual({ connections: 0, sessions: 0, retained: 0 });
  });

  it('of one session or one connection does the same, and touches no other', async () => {
    const bench = await Bench.started();
    const [bad, other] = [await bench.client('bad', PERSISTENT), await bench.client('other', PERSISTENT)];
    await bad.say(subscribe('#'), publish('poison', 1, 5, true));
    await other.say(publish('kept', 1, 5, true));
    expect(bench.broker.holderOf('key:bad')).toMatchObject({ clientId: 'bad' });
    const purge = { purgeSession: true, purgeRetained: true };
    expect(bench.broker.cutSession('key:bad', purge)).toEqual({ connections: 1, sessions: 1, retained: 1 });
    expect(bench.broker.cutSession('key:bad', purge)).toEqual({ connections: 0, sessions: 0, retained: 0 });
    expect((await bad.hear()).at(-1)).toMatchObject({ kind: 'disconnect', reason: 0x98 });
    expect([bad.closed, other.closed, bench.broker.holderOf('key:bad')]).toEqual([true, false, undefined]);

    const { connectionId = '' } = bench.broker.holderOf('key:other') ?? {};
    expect([bench.broker.cutConnection(connectionId), bench.broker.cutConnection(connectionId)]).toEqual([true, false]);
    expect([other.closed, bench.broker.gauges().sessions]).toEqual([true, 1]);
    bench.broker.cutSession('key:other', purge);
    expect(bench.broker.gauges()).toMatchObject({ sessions: 0, retainedMessages: 0 });
  });

  it('purges a session that is not connected, its delayed will included', async () => {
    const bench = await Bench.started();
    const heir = await bench.client('heir', { keepAlive: 0 });
    await heir.say(subscribe('#'));
    const will = { ...willOn('w'), properties: { willDelayInterval: 10 } };
    (await bench.client('gone', { ...PERSISTENT, will })).pipe.drop();
    expect(bench.broker.cut(({ sessionKey }) => sessionKey === 'key:gone', { purgeSession: true }).sessions).toBe(1);
    await bench.advance(20);
    expect(topics(await heir.hear())).toEqual([]);
  });

  it('of everybody leaves nobody', async () => {
    const bench = await Bench.started();
    for (const name of ['a', 'b', 'c']) await bench.client(name, PERSISTENT);
    expect(bench.broker.cut(all, { purgeSession: true })).toEqual({ connections: 3, sessions: 3, retained: 0 });
    expect(bench.broker.gauges()).toMatchObject({ connections: 0, sessions: 0 });
  });
});

describe('the observer', () => {
  it('hears of connections, their ends and take-overs with both addresses', async () => {
    const heard: string[] = [];
    const name = ({ clientId, address }: ConnectionInfo) => `${clientId}@${address}`;
    const bench = await Bench.started({
      store: new MemoryStore(),
      observer: {
        connected: (info) => heard.push(`connected ${name(info)}`),
        disconnected: (info, cause) => heard.push(`${cause} ${name(info)}`),
        takenOver: (previous, next) => heard.push(`take-over ${name(previous)} by ${name(next)}`),
        subscribed: (info, filters) => heard.push(`subscribed ${name(info)} ${filters.join()}`),
      },
    });
    const first = bench.open(5, '1.1.1.1:1');
    await first.say(encodeConnect(connectPacket('a')), subscribe('t'));
    const second = bench.open(5, '2.2.2.2:2');
    await second.say(encodeConnect(connectPacket('a')), GOODBYE);
    expect(heard).toEqual([
      'connected a@1.1.1.1:1',
      'subscribed a@1.1.1.1:1 t',
      'take-over a@1.1.1.1:1 by a@2.2.2.2:2',
      'taken-over a@1.1.1.1:1',
      'connected a@2.2.2.2:2',
      'client-disconnect a@2.2.2.2:2',
    ]);
  });
});
