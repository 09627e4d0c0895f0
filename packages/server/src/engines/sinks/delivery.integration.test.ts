import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeUtf8, ManualClock, seededRandom, silentLog } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Page } from '@holdfast/trust/ports';
import type { OutgoingMessage, SinkPeer, SinkVerdict } from './sink-peer.ts';
import type { DeadLetter, SinkRecords } from './sink-records.ts';
import type { SinkSetting } from './sink-settings.ts';
import { Sinks } from './sinks.ts';
import { Spool } from './spool.ts';

let folder: string;
let clock: ManualClock;
let records: SinkRecords & { readonly positions: Map<string, number>; readonly dead: Map<string, string> };
let verdict: (batch: readonly OutgoingMessage[], sink: string) => SinkVerdict | Promise<SinkVerdict>;
let got: { readonly sink: string; readonly topic: string; readonly id: string }[];
let alarms: Set<string>;
const open: Sinks[] = [];

const TAKEN = { kind: 'taken' } as const;
const LONG = { timeout: 20_000, interval: 5 };

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-sinks-'));
  clock = new ManualClock(1_000_000);
  records = fakeRecords();
  verdict = () => TAKEN;
  got = [];
  alarms = new Set();
});
afterEach(async () => {
  for (const sinks of open.splice(0)) await sinks.close();
  rmSync(folder, { recursive: true, force: true });
});

function fakeRecords() {
  const positions = new Map<string, number>();
  const dead = new Map<string, string>();
  const letters = new Map<string, DeadLetter>();
  return {
    positions,
    dead,
    position: (spool: string, sink: string) => Promise.resolve(positions.get(`${spool} ${sink}`)),
    savePositions: (spool: string, moved: ReadonlyMap<string, number>) => {
      for (const [sink, position] of moved) positions.set(`${spool} ${sink}`, position);
      return Promise.resolve();
    },
    bury: (_sink: string, letter: DeadLetter, json: string) => {
      dead.set(letter.id, json);
      letters.set(letter.id, letter);
      return Promise.resolve();
    },
    deadLetters: (): Promise<Page<DeadLetter>> => Promise.resolve({ rows: [...letters.values()], next: undefined }),
    countDead: () => Promise.resolve(dead.size),
    json: (_sink: string, { id }: DeadLetter) => Promise.resolve(dead.get(id)),
    forget: (_sink: string, ids: readonly string[]) => {
      for (const id of ids) {
        dead.delete(id);
        letters.delete(id);
      }
      return Promise.resolve();
    },
  };
}

const setting = (name: string, change: Partial<SinkSetting> = {}): SinkSetting =>
  ({
    kind: 'jsonl',
    name,
    filters: ['devices/#'],
    path: '/nowhere',
    rotateMib: 1,
    keepFiles: 0,
    onFull: 'wait',
    giveUpHours: 1,
    ...change,
  }) as SinkSetting;

async function start(settings: readonly SinkSetting[], limits: { maxBytes?: number; segmentBytes?: number } = {}) {
  const { maxBytes = 1_000_000, segmentBytes = 100_000 } = limits;
  const key = seededRandom(1).bytes(32);
  const spool = await Spool.open({
    folder,
    clock,
    random: seededRandom(2),
    log: silentLog,
    segmentBytes,
    keys: {
      // A key of its own for each life, as the nonces begin again.
      current: () => Promise.resolve({ epoch: open.length, key: keyOf(key, open.length) }),
      find: (epoch) => Promise.resolve(keyOf(key, epoch)),
      keepOnly: () => Promise.resolve(),
    },
  });
  const peerOf = ({ name }: SinkSetting): SinkPeer => ({
    maxMessages: 8,
    send: async (batch) => {
      const answer = await verdict(batch, name);
      if (answer.kind === 'taken') for (const { id, topic } of batch) got.push({ sink: name, topic, id });
      return answer;
    },
    close: () => Promise.resolve(),
  });
  const sinks = await Sinks.open(
    {
      tenant: 'default',
      spool,
      records,
      peerOf,
      deviceOf: (publisher) => (publisher === '' ? undefined : publisher),
      alarms: { raise: (code) => void alarms.add(code), clear: (code) => void alarms.delete(code) },
      clock,
      random: seededRandom(3),
      log: silentLog,
      maxBytes,
      retentionMs: 10_000,
    },
    settings,
  );
  open.push(sinks);
  return { sinks, spool };
}

const keyOf = (key: Uint8Array, epoch: number) => key.map((byte) => byte ^ epoch);

const message = (topic: string, change: object = {}) =>
  ({
    realm: 'default',
    topic,
    payload: encodeUtf8('{"a":1}'),
    qos: 1,
    retain: false,
    properties: new Uint8Array(0),
    publisher: 'lamp',
    ...change,
  }) as Parameters<Sinks['offer']>[0];

const topics = (sink = 'one') => got.filter((each) => each.sink === sink).map(({ topic }) => topic);

/** Lets pauses pass until something holds. */
async function until(holds: () => boolean): Promise<void> {
  await expect
    .poll(() => {
      clock.advance(500);
      return holds();
    }, LONG)
    .toBe(true);
}

describe('sinks', () => {
  it('deliver what their filters match, in order, and acknowledge what is on the disk', async () => {
    const { sinks } = await start([setting('one'), setting('two', { filters: ['devices/b', '$aws/#'] })]);
    expect(sinks.offer(message('other'))).toBeUndefined();
    expect(sinks.offer(message('devices/a', { realm: 'elsewhere' }))).toBeUndefined();
    expect(sinks.offer(message('devices/a', { qos: 0 }))).toBeUndefined();
    expect(await sinks.offer(message('devices/b'))).toBe(true);
    expect(await sinks.offer(message('$aws/events/x'))).toBe(true);
    await expect.poll(() => topics('two'), LONG).toEqual(['devices/b', '$aws/events/x']);
    await expect.poll(() => topics('one'), LONG).toEqual(['devices/a', 'devices/b']);
    await expect.poll(async () => (await sinks.show('two')).behind, LONG).toBe(0);
  });

  it('lose nothing while a peer is away, and keep the order', async () => {
    const { sinks } = await start([setting('one')]);
    verdict = () => ({ kind: 'later', reason: 'away' });
    for (let at = 0; at < 50; at++) expect(await sinks.offer(message(`devices/${at}`))).toBe(true);
    await expect.poll(async () => (await sinks.show('one')).failing?.reason, LONG).toBe('away');
    verdict = () => TAKEN;
    await until(() => got.length === 50);
    expect(topics()).toEqual(Array.from({ length: 50 }, (_, at) => `devices/${at}`));
    expect((await sinks.show('one')).failing).toBeUndefined();
  });

  it('wait as long as a peer asks', async () => {
    const { sinks } = await start([setting('one')]);
    verdict = () => ({ kind: 'later', reason: 'HTTP 429', retryAfterMs: 90_000 });
    await sinks.offer(message('devices/a'));
    await expect.poll(async () => (await sinks.show('one')).failing?.attempts, LONG).toBe(1);
    verdict = () => TAKEN;
    clock.advance(89_000);
    await sinks.show('one');
    expect(got).toEqual([]);
    await until(() => got.length === 1);
  });

  it('halve a batch until what is refused stands alone, bury that and deliver the rest in order', async () => {
    const { sinks } = await start([setting('one')]);
    verdict = () => ({ kind: 'later', reason: 'away' });
    for (let at = 0; at < 8; at++) await sinks.offer(message(`devices/${at}`));
    verdict = (batch) =>
      batch.some(({ topic }) => topic === 'devices/5') ? { kind: 'refused', reason: 'HTTP 400' } : TAKEN;
    await until(() => got.length === 7);
    expect(topics()).toEqual([0, 1, 2, 3, 4, 6, 7].map((at) => `devices/${at}`));
    const { rows } = await sinks.deadLetters('one', { limit: 10 });
    expect(rows).toMatchObject([{ topic: 'devices/5', deviceId: 'lamp', reason: 'HTTP 400', attempts: 3 }]);
    expect(await sinks.retry('one')).toEqual({ delivered: 0, left: 1 });
    verdict = () => TAKEN;
    expect(await sinks.retry('one')).toEqual({ delivered: 1, left: 0 });
    expect(topics().at(-1)).toBe('devices/5');
  });

  it('give up on a peer that is away for too long, and go on when it is back', async () => {
    const { sinks } = await start([setting('one')]);
    verdict = () => ({ kind: 'later', reason: 'away' });
    await sinks.offer(message('devices/a'));
    await expect.poll(async () => (await sinks.show('one')).failing?.reason, LONG).toBe('away');
    clock.advance(400_000);
    expect([...alarms]).toEqual(['sink one']);
    clock.advance(3_600_000);
    await until(() => records.dead.size === 1);
    verdict = () => TAKEN;
    await sinks.offer(message('devices/b'));
    await until(() => got.length === 1);
    expect(topics()).toEqual(['devices/b']);
    clock.advance(30_000);
    expect([...alarms]).toEqual([]);
    expect(await sinks.discard('one')).toEqual({ discarded: 1 });
  });

  it('go on after a restart where they were, and deliver at most the last second twice', async () => {
    const first = await start([setting('one')]);
    for (const name of ['a', 'b']) await first.sinks.offer(message(`devices/${name}`));
    await expect.poll(() => got.length, LONG).toBe(2);
    verdict = () => ({ kind: 'later', reason: 'away' });
    await first.sinks.offer(message('devices/c'));
    await first.sinks.close();
    open.length = 1;
    verdict = () => TAKEN;
    await start([setting('one'), setting('new')]);
    await until(() => got.length >= 3);
    expect(topics()).toEqual(['devices/a', 'devices/b', 'devices/c']);
    expect(topics('new')).toEqual([]);
  });

  it('deliver again from an offset or a time, under the same identities', async () => {
    const { sinks } = await start([setting('one')]);
    for (const name of ['a', 'b', 'c']) {
      await sinks.offer(message(`devices/${name}`));
      clock.advance(1000);
    }
    await until(() => got.length === 3);
    const ids = got.map(({ id }) => id);
    await sinks.replay('one', { offset: 1 });
    await until(() => got.length === 5);
    await sinks.replay('one', { since: 1_001_500 });
    await until(() => got.length === 6);
    expect(got.map(({ id }) => id)).toEqual([...ids, ids[1], ids[2], ids[2]]);
    expect(new Set(ids).size).toBe(3);
    await expect(sinks.replay('nobody', { offset: 0 })).rejects.toThrowError(
      expect.objectContaining({ code: 'communication.sink_unknown' }),
    );
  });

  it('hold QoS 1 back when there is no room, drop QoS 0, and take both again when there is', async () => {
    const { sinks, spool } = await start([setting('one')], { maxBytes: 4000, segmentBytes: 400 });
    verdict = () => ({ kind: 'later', reason: 'away' });
    const done: boolean[] = [];
    let offered = 0;
    while (sinks.spool().waiting === 0) {
      void sinks.offer(message(`devices/${offered++}`))?.then((taken) => done.push(taken));
      await expect.poll(() => spool.pendingBytes, LONG).toBe(0);
    }
    expect(sinks.offer(message('devices/lost', { qos: 0 }))).toBeUndefined();
    expect(sinks.offer(message('devices/lost', { publisher: '' }))).toBeUndefined();
    expect(sinks.spool()).toMatchObject({ waiting: 1, dropped: 2 });
    expect(done).toHaveLength(offered - 1);
    verdict = () => TAKEN;
    await until(() => got.length === offered);
    expect(done).toEqual(Array.from({ length: offered }, () => true));
    expect(topics()).toEqual(Array.from({ length: offered }, (_, at) => `devices/${at}`));
    expect(spool.bytes).toBeLessThanOrEqual(4000);
  });

  it('take the room of a sink that may lose messages, and count what it lost', async () => {
    const { sinks } = await start([setting('one', { onFull: 'drop' })], { maxBytes: 4000, segmentBytes: 400 });
    verdict = () => ({ kind: 'later', reason: 'away' });
    for (let at = 0; at < 100; at++) expect(await sinks.offer(message(`devices/${at}`))).toBe(true);
    verdict = () => TAKEN;
    await until(() => topics().at(-1) === 'devices/99');
    const { delivered, skipped } = await sinks.show('one');
    expect(skipped).toBeGreaterThan(0);
    expect(delivered + skipped).toBeGreaterThanOrEqual(100);
  });

  it('refuse rather than hold without bound', async () => {
    const { sinks } = await start([setting('one')], { maxBytes: 40_000_000, segmentBytes: 400 });
    verdict = () => ({ kind: 'later', reason: 'away' });
    const huge = { payload: new Uint8Array(7 * 1024 * 1024) };
    expect(await sinks.offer(message('devices/huge', { payload: new Uint8Array(9_000_000) }))).toBe(false);
    const all = Array.from({ length: 6 }, () => sinks.offer(message('devices/huge', huge)));
    expect(sinks.spool()).toMatchObject({ waiting: 2, refused: 3 });
    const last = all[3];
    await sinks.close();
    open.length = 0;
    expect(await all[0]).toBe(true);
    expect(await last).toBe(false);
  });

  it('keep what is delivered for a replay, and no longer than they should', async () => {
    const { sinks, spool } = await start([setting('one')], { segmentBytes: 50 });
    for (const name of ['a', 'b', 'c']) await sinks.offer(message(`devices/${name}`));
    await until(() => got.length === 3);
    expect(spool.start).toBe(0);
    clock.advance(60_000);
    await expect.poll(() => spool.start, LONG).toBe(2);
  });
});
