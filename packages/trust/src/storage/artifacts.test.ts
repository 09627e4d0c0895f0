import { sha256 } from '@holdfast/crypto';
import { encodeHex, seededRandom } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MapBlobs, openStorageBed, type StorageBed } from '../../../server/src/persistence/conformance/storage-bed.ts';
import { compileWrite, query } from '../../../server/src/persistence/index.ts';
import type { NewArtifact } from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const MIB = 1024 * 1024;
const FIRMWARE = seededRandom(5).bytes(2 * MIB + 777);
const SMALL = FIRMWARE.slice(0, 300);

async function* pieces(bytes: Uint8Array, size = 60_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const wish = (bytes: Uint8Array, more: Partial<NewArtifact> = {}): NewArtifact => ({
  tenant: 'default',
  actor: 'operator:alice',
  content: pieces(bytes),
  maxBytes: 8 * MIB,
  ...more,
});

describe('artifacts', () => {
  let blobs: MapBlobs;
  let bed: StorageBed;
  /** Replaced where pieces opened before must not be given from memory. */
  let rooms: Pick<StorageBed, 'artifacts'>;

  beforeEach(async () => {
    blobs = new MapBlobs();
    bed = await openStorageBed({ blobs });
    rooms = { artifacts: bed.artifacts };
  });
  afterEach(() => bed.opened.close());

  const bodyOf = (artifactId: string) => blobs.contents.get(artifactId) ?? new Uint8Array(0);
  const read = async (artifactId: string, start: number, end: number) => {
    const open = await rooms.artifacts.open('default', artifactId);
    try {
      return await open?.read({ start, end });
    } finally {
      await open?.close();
    }
  };

  /** Runs a patrol round while its clock goes on. */
  async function round() {
    const ticking = setInterval(() => bed.clock.advance(100), 0);
    try {
      return await bed.patrol.round();
    } finally {
      clearInterval(ticking);
    }
  }

  it('give back any range of what was stored, with its length and hash', async () => {
    const record = await bed.artifacts.create(wish(FIRMWARE));
    expect(record).toMatchObject({ size: FIRMWARE.length, sha256: encodeHex(sha256(FIRMWARE)), state: 'intact' });
    const open = await bed.artifacts.open('default', record.artifactId);
    expect(open?.size).toBe(FIRMWARE.length);
    for (const [start, end] of [
      [0, 1],
      [MIB - 1, MIB + 1],
      [5, 2 * MIB + 5],
      [FIRMWARE.length - 1, FIRMWARE.length],
      [7, 7],
    ] as const) {
      expect(Buffer.compare((await open?.read({ start, end })) ?? SMALL, FIRMWARE.subarray(start, end))).toBe(0);
    }
    for (const [start, end] of [
      [0, FIRMWARE.length + 1],
      [-1, 1],
      [2, 1],
      [Number.NaN, 1],
    ] as const) {
      await expect(open?.read({ start, end })).rejects.toThrowError(coded('storage.bad_range'));
    }
  });

  it('are sealed before they reach the engine', async () => {
    const { artifactId } = await bed.artifacts.create(wish(FIRMWARE));
    const body = Buffer.from(bodyOf(artifactId));
    expect(body.length).toBeGreaterThan(FIRMWARE.length);
    for (let at = 0; at < FIRMWARE.length; at += 100_000)
      expect(body.includes(Buffer.from(FIRMWARE.subarray(at, at + 16)))).toBe(false);
  });

  it('exist once their writes are committed, and are unknown to another tenant', async () => {
    const { record, writes } = await bed.artifacts.creating(wish(SMALL));
    expect(await bed.artifacts.open('default', record.artifactId)).toBeUndefined();
    await bed.store.commit(writes);
    expect(await read(record.artifactId, 0, 300)).toEqual(SMALL);
    expect(await bed.artifacts.open('acme', record.artifactId)).toBeUndefined();
  });

  it.each([
    ['another hash', { expected: { sha256: '00'.repeat(32) } }, 'storage.digest_mismatch'],
    ['a larger announced size', { expected: { size: 301 } }, 'storage.digest_mismatch'],
    ['a smaller announced size', { expected: { size: 299 } }, 'storage.digest_mismatch'],
    ['more than the limit', { maxBytes: 299 }, 'request.too_large'],
  ])('are refused with %s, and leave nothing behind', async (_, more, code) => {
    await expect(bed.artifacts.create(wish(SMALL, more))).rejects.toThrowError(coded(code));
    expect(blobs.contents.size).toBe(0);
  });

  it('stop reading an upload as soon as it is too long', async () => {
    let given = 0;
    async function* endless() {
      for (;;) {
        given++;
        yield new Uint8Array(1000);
      }
    }
    const limit = { content: endless(), maxBytes: 10_000 };
    await expect(bed.artifacts.create(wish(SMALL, limit))).rejects.toThrowError(coded('request.too_large'));
    expect(given).toBe(11);
  });

  it('are quarantined, stated and audited once, whatever byte of body or head changed', async () => {
    const record = await bed.artifacts.create(wish(SMALL));
    const { artifactId, head } = record;
    const body = bodyOf(artifactId);
    const restore = query.updateTable('artifacts').set({ state: 'intact', head });
    for (let at = 0; at < body.length + head.length; at += 13) {
      const flipped = Uint8Array.from(at < body.length ? body : head);
      const place = at < body.length ? at : at - body.length;
      flipped[place] = (flipped[place] ?? 0) ^ 4;
      if (at < body.length) blobs.contents.set(artifactId, flipped);
      else await bed.store.commit([compileWrite(query.updateTable('artifacts').set({ head: flipped }))]);
      rooms.artifacts = bed.anotherArtifacts();
      await expect(read(artifactId, 0, 300)).rejects.toThrowError(
        expect.objectContaining({ code: expect.stringMatching(/^(storage\.corrupt|crypto\.unknown_key)$/) }),
      );
      blobs.contents.set(artifactId, body);
      await bed.store.commit([compileWrite(restore)]);
    }
    blobs.contents.set(artifactId, body.slice(0, -1));
    rooms.artifacts = bed.anotherArtifacts();
    const before = (await bed.opened.events.since(0, 1000)).length;
    for (let again = 0; again < 3; again++) {
      await expect(read(artifactId, 0, 300)).rejects.toThrowError(coded('storage.corrupt'));
    }
    const events = (await bed.opened.events.since(0, 1000)).slice(before);
    expect(events).toMatchObject([{ name: 'artifact.corrupt', subject: artifactId }]);
    const entries = (await bed.entries()).filter(({ action }) => action === 'artifact.corrupt');
    expect(entries.length).toBe(before + 1);
  });

  it('are corrupt when the body is gone, cut short or another one', async () => {
    const [a, b, c] = [
      await bed.artifacts.create(wish(FIRMWARE)),
      await bed.artifacts.create(wish(SMALL)),
      await bed.artifacts.create(wish(SMALL)),
    ];
    blobs.contents.set(a.artifactId, bodyOf(a.artifactId).slice(0, MIB + 16));
    blobs.contents.delete(b.artifactId);
    blobs.contents.set(c.artifactId, bodyOf(a.artifactId));
    for (const { artifactId } of [a, b, c]) {
      await expect(read(artifactId, 0, 10)).rejects.toThrowError(coded('storage.corrupt'));
    }
  });

  it('opened a moment ago need no file, but their row, their state and their key', async () => {
    const { artifactId } = await bed.artifacts.create(wish(FIRMWARE));
    expect(await read(artifactId, 0, 10)).toEqual(FIRMWARE.slice(0, 10));
    const body = bodyOf(artifactId);
    blobs.contents.delete(artifactId);
    expect(await read(artifactId, MIB - 5, MIB)).toEqual(FIRMWARE.slice(MIB - 5, MIB));
    blobs.contents.set(artifactId, body);
    expect(await read(artifactId, MIB - 5, MIB + 5)).toEqual(FIRMWARE.slice(MIB - 5, MIB + 5));

    const restate = (state: string) => bed.store.commit([compileWrite(query.updateTable('artifacts').set({ state }))]);
    await restate('corrupt');
    await expect(read(artifactId, 0, 10)).rejects.toThrowError(coded('storage.corrupt'));
    await restate('intact');
    const other = await bed.artifacts.create(wish(SMALL));
    await read(other.artifactId, 0, 10);
    await bed.artifacts.delete('default', artifactId, 'operator:alice');
    expect(await read(artifactId, 0, 10)).toBeUndefined();
    await bed.keyring.shred('default', 'operator:alice');
    await expect(read(other.artifactId, 0, 10)).rejects.toThrowError(coded('storage.key_destroyed'));
  });

  it('are gone when deleted', async () => {
    const { artifactId } = await bed.artifacts.create(wish(SMALL));
    await bed.artifacts.delete('default', artifactId, 'operator:alice');
    expect(await bed.artifacts.open('default', artifactId)).toBeUndefined();
    expect(blobs.contents.size).toBe(0);
    await expect(bed.artifacts.delete('default', artifactId, 'x')).rejects.toThrowError(
      coded('storage.unknown_artifact'),
    );
  });

  it('that were never committed are swept, once their upload is surely over', async () => {
    const kept = await bed.artifacts.create(wish(SMALL));
    const late = await bed.artifacts.creating(wish(SMALL));
    await blobs.put('left-by-a-crash', pieces(SMALL));
    expect(await bed.artifacts.sweep()).toBe(1);
    await bed.store.commit(late.writes);
    await bed.artifacts.creating(wish(SMALL));
    bed.clock.advance(600_000);
    expect(await bed.artifacts.sweep()).toBe(1);
    expect([...blobs.contents.keys()].toSorted()).toEqual([kept.artifactId, late.record.artifactId].toSorted());
  });

  it('are not swept while they may be an upload to another server', async () => {
    await blobs.put('of-another-server', pieces(SMALL));
    expect(await bed.artifacts.sweep(3_600_000)).toBe(0);
    bed.clock.advance(3_599_999);
    expect(await bed.artifacts.sweep(3_600_000)).toBe(0);
    bed.clock.advance(1);
    expect(await bed.artifacts.sweep(3_600_000)).toBe(1);
  });

  it('are not swept while their upload lasts, however long it takes', async () => {
    const slow = (async function* () {
      yield SMALL.subarray(0, 100);
      bed.clock.advance(3_600_000);
      expect(await bed.artifacts.sweep()).toBe(0);
      yield SMALL.subarray(100);
    })();
    // An engine that shows the name before it has resolved, as a rename before its folder is synced.
    const put = blobs.put.bind(blobs);
    blobs.put = async (key, content) => {
      const stored = await put(key, content);
      bed.clock.advance(3_600_000);
      expect(await bed.artifacts.sweep()).toBe(0);
      return stored;
    };
    const { artifactId } = await bed.artifacts.create(wish(SMALL, { content: slow }));
    expect(await read(artifactId, 0, SMALL.length)).toEqual(SMALL);
  });

  describe('under patrol', () => {
    it('are all read each round, slowly, and found intact', async () => {
      await bed.artifacts.create(wish(FIRMWARE));
      await bed.artifacts.create(wish(SMALL));
      await bed.secrets.put('default', 'wifi', SMALL, 'system');
      bed.clock.advance(1);
      const begun = bed.clock.monotonicMs();
      expect(await round()).toEqual({ read: 3, corrupt: 0 });
      // 2 MiB at 8 MiB a second.
      expect(bed.clock.monotonicMs() - begun).toBeGreaterThanOrEqual(250);
      const records = await bed.artifactRecords.checkedBefore(bed.clock.now() + 1, 10);
      expect(records.every(({ checkedAt, createdAt }) => checkedAt > createdAt)).toBe(true);
    });

    it('are condemned when one byte changed that nobody asked for, and so are sealed records', async () => {
      const { artifactId } = await bed.artifacts.create(wish(FIRMWARE));
      const healthy = await bed.artifacts.create(wish(SMALL));
      await bed.secrets.put('default', 'wifi', SMALL, 'system');
      const body = bodyOf(artifactId);
      body[2 * MIB] = (body[2 * MIB] ?? 0) ^ 1;
      const stored = await bed.sealedRecords.newest('default', 'secret', 'wifi');
      const sealed = Uint8Array.from(stored?.sealed ?? []);
      sealed[sealed.length - 20] = (sealed.at(-20) ?? 0) ^ 1;
      await bed.store.commit([compileWrite(query.updateTable('sealed_records').set({ sealed }))]);
      bed.clock.advance(1);
      expect(await round()).toEqual({ read: 3, corrupt: 2 });
      expect((await bed.artifactRecords.find('default', artifactId))?.state).toBe('corrupt');
      expect((await bed.artifactRecords.find('default', healthy.artifactId))?.state).toBe('intact');
      bed.clock.advance(1);
      await round();
      const stated = (await bed.entries()).filter(({ action }) => action.endsWith('.corrupt'));
      expect(stated.map(({ action, subject }) => [action, subject])).toEqual([
        ['artifact.corrupt', artifactId],
        ['record.corrupt', 'wifi'],
      ]);
    });

    it('start by the clock and end at once when closed', async () => {
      await bed.artifacts.create(wish(FIRMWARE));
      bed.patrol.start();
      bed.clock.advance(3_600_000);
      await new Promise((done) => setTimeout(done, 5));
      await bed.patrol.close();
      expect((await bed.artifactRecords.checkedBefore(bed.clock.now() + 1, 10))[0]?.checkedAt).toBeLessThan(
        bed.clock.now(),
      );
    });
  });
});
