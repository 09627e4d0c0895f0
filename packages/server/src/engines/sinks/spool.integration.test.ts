import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeUtf8, HoldfastError, ManualClock, seededRandom, silentLog } from '@holdfast/kernel';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeSinkMessage, type SpooledMessage } from './sink-message.ts';
import { Spool, type SpoolKeys } from './spool.ts';

let folder: string;
let clock: ManualClock;
let keys: Map<number, Uint8Array>;
let life: number;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-spool-'));
  clock = new ManualClock(1_000_000);
  keys = new Map();
  life = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openSpool(segmentBytes = 1_000_000): Promise<Spool> {
  const epoch = ++life;
  const own: SpoolKeys = {
    current: () => {
      const key = keys.get(epoch) ?? seededRandom(epoch).bytes(32);
      keys.set(epoch, key);
      return Promise.resolve({ epoch, key });
    },
    find: (asked) => {
      const key = keys.get(asked);
      return key === undefined ? Promise.reject(new HoldfastError('storage.key_destroyed')) : Promise.resolve(key);
    },
    keepOnly: (needed) => {
      for (const known of keys.keys()) if (!needed.has(known)) keys.delete(known);
      return Promise.resolve();
    },
  };
  return Spool.open({ folder, keys: own, clock, random: seededRandom(99), log: silentLog, segmentBytes });
}

const record = (text: string) =>
  encodeSinkMessage({
    topic: 't',
    deviceId: 'd',
    qos: 1,
    retain: false,
    at: 5,
    payload: encodeUtf8(text),
    properties: new Uint8Array(0),
  });

const put = (spool: Spool, ...texts: readonly string[]) => Promise.all(texts.map((text) => spool.append(record(text))));

async function readAll(spool: Spool, from = 0): Promise<string[]> {
  const reader = spool.reader(from);
  const all: SpooledMessage[] = [];
  for (let block = await reader.next(); block !== undefined; block = await reader.next()) all.push(...block);
  await reader.close();
  return all.map(({ offset, payload }) => `${offset}:${Buffer.from(payload).toString()}`);
}

const files = () => readdirSync(folder).filter((name) => name.endsWith('.spool'));

it('gives back what was appended, in order, from any offset, over many lives', async () => {
  const first = await openSpool();
  expect(await put(first, 'a', 'b', 'c')).toEqual([true, true, true]);
  await first.close();
  const second = await openSpool();
  await put(second, 'd');
  expect([second.id, second.start, second.end]).toEqual([first.id, 0, 4]);
  expect(await readAll(second)).toEqual(['0:a', '1:b', '2:c', '3:d']);
  expect(await readAll(second, 2)).toEqual(['2:c', '3:d']);
  expect(await readAll(second, 4)).toEqual([]);
  await second.close();
});

it('lets a reader that has caught up go on where new messages come', async () => {
  const spool = await openSpool(100);
  const reader = spool.reader(0);
  for (const text of ['a', 'b', 'c', 'd']) {
    expect(await reader.next()).toBeUndefined();
    await put(spool, text);
    expect((await reader.next())?.map(({ payload }) => Buffer.from(payload).toString())).toEqual([text]);
  }
  expect(files().length).toBeGreaterThan(1);
  await reader.close();
  await spool.close();
});

it('commits what comes together as one block', async () => {
  const spool = await openSpool();
  await put(spool, ...Array.from({ length: 500 }, (_, at) => `${at}`));
  const reader = spool.reader(0);
  expect(await reader.next()).toHaveLength(500);
  await reader.close();
  await spool.close();
});

it('takes what is appended in the very step in which the last write is told', async () => {
  const spool = await openSpool();
  for (let at = 0; at < 50; at++) expect(await spool.append(record(`${at}`))).toBe(true);
  expect(spool.end).toBe(50);
  await spool.close();
});

it('keeps nothing readable on the disk', async () => {
  const spool = await openSpool();
  await put(spool, 'a-canary-of-a-device');
  await spool.close();
  for (const name of files()) expect(readFileSync(path.join(folder, name)).includes('canary')).toBe(false);
});

it('drops what a crash cut off, at every length, and no more', async () => {
  const spool = await openSpool();
  await put(spool, 'kept');
  await spool.close();
  const file = path.join(folder, files()[0] ?? '');
  const whole = readFileSync(file).length;
  const again = await openSpool();
  await again.close();
  writeFileSync(file, readFileSync(file));
  const block = readFileSync(file).subarray(12);
  for (let cut = 1; cut < block.length; cut += 7) {
    truncateSync(file, whole);
    appendFileSync(file, block.subarray(0, cut));
    const reopened = await openSpool();
    expect([reopened.end, await readAll(reopened)]).toEqual([1, ['0:kept']]);
    await reopened.close();
  }
});

it('removes the segment that a crash left empty, and starts there', async () => {
  const spool = await openSpool();
  await put(spool, 'a');
  await spool.close();
  truncateSync(path.join(folder, files()[0] ?? ''), 20);
  const again = await openSpool();
  expect([again.end, files()]).toEqual([0, []]);
  await put(again, 'b');
  expect(await readAll(again)).toEqual(['0:b']);
  await again.close();
});

it('leaves out a block that was altered or whose key is gone, and reads on', async () => {
  const first = await openSpool();
  await put(first, 'a');
  await first.close();
  const second = await openSpool();
  await put(second, 'b');
  const file = path.join(folder, files()[0] ?? '');
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(file, bytes);
  expect(await readAll(second)).toEqual(['1:b']);
  await second.close();
  const third = await openSpool();
  keys.delete(2);
  expect(await readAll(third)).toEqual([]);
  await put(third, 'c');
  expect(await readAll(third)).toEqual(['2:c']);
  await third.close();
});

it('finds an offset by time', async () => {
  const spool = await openSpool(100);
  for (const text of ['a', 'b', 'c']) {
    await put(spool, text);
    clock.advance(1000);
  }
  expect(await spool.offsetAt(0)).toBe(0);
  expect(await spool.offsetAt(1_000_500)).toBe(1);
  expect(await spool.offsetAt(1_002_000)).toBe(2);
  expect(await spool.offsetAt(9_000_000)).toBe(3);
  await spool.close();
});

it('trims whole segments that nobody needs, and drops their keys at the next start', async () => {
  const first = await openSpool(50);
  await put(first, 'a');
  await put(first, 'b');
  await first.close();
  const second = await openSpool(50);
  await put(second, 'c');
  await put(second, 'd');
  await second.trim(3, ({ endedAt }) => endedAt <= clock.now());
  expect([second.start, await readAll(second)]).toEqual([3, ['3:d']]);
  await second.close();
  await (await openSpool()).close();
  expect([...keys.keys()]).toEqual([2]);
});
