import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClusterBench as Cluster, ClusterBench } from './testing/cluster-bench.ts';

const LASTING = { clean: false, properties: { sessionExpiryInterval: 3600 } } as const;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await ClusterBench.start(3);
});
afterEach(() => cluster.close());

describe('cores on one store', () => {
  it.each([0, 1] as const)('bring a QoS %i message to a subscriber of another node', async (qos) => {
    const [hears, says] = [await cluster.connect(0, 'hears'), await cluster.connect(1, 'says')];
    await hears.subscribe('a/+/c', qos);
    await cluster.settled();
    await says.publish('a/b/c', 'x', qos);
    expect(await hears.message()).toBe('a/b/c x');
  });

  it('bring it once to a session that outlives its connection, wherever it is connected', async () => {
    const hears = await cluster.connect(0, 'hears', LASTING);
    await hears.subscribe('a/#');
    await cluster.settled();
    const says = await cluster.connect(1, 'says');
    for (const each of ['1', '2', '3']) await says.publish('a/b', each);
    for (const each of ['1', '2', '3']) expect(await hears.message()).toBe(`a/b ${each}`);
    await cluster.settled();
    expect(hears.got.filter(({ kind }) => kind === 'publish')).toEqual([]);
  });

  it('keep for a session that is offline what comes at any node, and give it wherever it comes back', async () => {
    const before = await cluster.connect(0, 'hears', LASTING);
    await before.until('connack');
    await before.subscribe('a/#');
    before.leave();
    await cluster.settled();
    await (await cluster.connect(1, 'says')).publish('a/b', 'from 1');
    await (await cluster.connect(2, 'tells')).publish('a/b', 'from 2');
    const after = await cluster.connect(2, 'hears', LASTING);
    expect((await after.until('connack')).sessionPresent).toBe(true);
    expect([await after.message(), await after.message()].toSorted()).toEqual(['a/b from 1', 'a/b from 2']);
  });

  it('end the connection of a session that another node takes over', async () => {
    const first = await cluster.connect(0, 'one', LASTING);
    await first.until('connack');
    await first.subscribe('a/#');
    const second = await cluster.connect(1, 'one', LASTING);
    expect((await second.until('connack')).sessionPresent).toBe(true);
    expect((await first.until('disconnect')).reason).toBe(0x8e);
    expect(first.closed).toBe(true);
    expect(cluster.node(1).takenOver).toMatchObject([{ connectionId: '0-c1' }]);
    await (await cluster.connect(2, 'says')).publish('a/b', 'x');
    expect(await second.message()).toBe('a/b x');
  });

  it('take over a session without persistence too', async () => {
    const first = await cluster.connect(0, 'one');
    await cluster.connect(1, 'one');
    expect((await first.until('disconnect')).reason).toBe(0x8e);
  });

  it('refuse what a node still writes of a session it does not have any more, and end its connection', async () => {
    const stale = await cluster.connect(0, 'one', LASTING);
    await stale.until('connack');
    cluster.node(0).bus.set(false);
    const fresh = await cluster.connect(1, 'one', LASTING);
    await fresh.until('connack');
    await fresh.subscribe('fresh/#');
    stale.send(Buffer.from([0x82, 0x0c, 0, 9, 0, 0, 6, ...Buffer.from('late/#'), 1]));
    await expect.poll(async () => (await stale.until('disconnect')).reason).toBe(0x8e);
    const { sessions } = await cluster.node(2).sessions.loadSession('key:one');
    expect(sessions.flatMap(({ subscriptions }) => subscriptions.map(({ text }) => text))).toEqual(['fresh/#']);
    expect(fresh.closed).toBe(false);
  });

  it('know everywhere what is retained, and that it was removed', async () => {
    const says = await cluster.connect(0, 'says');
    await says.publish('state', 'on', 1, true);
    await cluster.settled();
    const hears = await cluster.connect(1, 'hears');
    await hears.subscribe('state');
    expect(await hears.message()).toBe('state on');
    await (await cluster.connect(2, 'tells')).publish('state', '', 1, true);
    await cluster.settled();
    const late = await cluster.connect(0, 'late');
    await late.subscribe('state');
    await cluster.settled();
    expect(late.got.filter(({ kind }) => kind === 'publish')).toEqual([]);
  });

  it('give a message of a shared subscription to one member of all nodes', async () => {
    const members = [await cluster.connect(0, 'm0'), await cluster.connect(1, 'm1'), await cluster.connect(2, 'm2')];
    const says = await cluster.connect(0, 'says');
    for (const member of members) await member.subscribe('$share/g/work', 1, { share: 'g', filter: 'work' });
    await cluster.settled();
    for (let at = 0; at < 6; at++) await says.publish('work', `${at}`);
    await cluster.settled();
    let got = 0;
    for (const member of members) {
      await member.subscribe('end');
      got += member.got.filter(({ kind }) => kind === 'publish').length;
    }
    expect(got).toBe(6);
  });

  it('read from the store what they missed while the bus was down', async () => {
    const hears = await cluster.connect(0, 'hears', LASTING);
    await hears.subscribe('a/#');
    await cluster.settled();
    cluster.node(0).bus.set(false);
    await (await cluster.connect(1, 'says')).publish('a/b', 'missed');
    expect(await hears.message()).toBe('a/b missed');
    cluster.node(0).bus.set(true);
    await (await cluster.connect(2, 'tells')).publish('a/b', 'heard');
    expect(await hears.message()).toBe('a/b heard');
  });

  it('learn from the store what came before they did', async () => {
    const before = await cluster.connect(0, 'hears', LASTING);
    await before.subscribe('a/#');
    await before.publish('state', 'on', 1, true);
    before.leave();
    await cluster.settled();
    await cluster.add();
    await cluster.settled();
    const says = await cluster.connect(3, 'says');
    await says.publish('a/b', 'x');
    await says.subscribe('state');
    expect(await says.message()).toBe('state on');
    const after = await cluster.connect(1, 'hears', LASTING);
    expect(await after.message()).toBe('a/b x');
  });
});
