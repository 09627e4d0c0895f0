import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError, ManualClock, systemClock } from '@holdfast/kernel';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { stormUnit, wholeUnits } from './conformance/storm-unit.ts';
import type { Migration } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { type OpenStore, openStore } from './open-store.ts';
import { query } from './schema.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-limits-'));
const mounted: string[] = [];
afterAll(() => {
  for (const target of mounted) spawnSync('umount', [target]);
  rmSync(folder, { recursive: true, force: true });
});

const coded = (code: string) => expect.objectContaining({ code });
let made = 0;
const fresh = () => path.join(folder, `${made++}.db`);

/** A place that takes a few MiB: a small file system where one may be mounted, else a small limit on the file. */
function smallPlace(): { location: string; maxPages: number | undefined } {
  const target = path.join(folder, 'small-disk');
  mkdirSync(target);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', target]).status !== 0) {
    return { location: path.join(target, 'store.db'), maxPages: 512 };
  }
  mounted.push(target);
  return { location: path.join(target, 'store.db'), maxPages: undefined };
}

async function fill(opened: OpenStore): Promise<{ stored: number[]; refused: unknown }> {
  const stored: number[] = [];
  for (let first = 0; ; first += 20) {
    const numbers = Array.from({ length: 20 }, (_, at) => first + at);
    const outcomes = await Promise.allSettled(numbers.map((number) => opened.store.commit(stormUnit(opened, number))));
    stored.push(...numbers.filter((_, at) => outcomes[at]?.status === 'fulfilled'));
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    if (refused) return { stored, refused: refused.reason };
  }
}

describe('a store on a full disk', () => {
  it('refuses the unit whole, keeps what it had, and goes on when there is space', async () => {
    const place = smallPlace();
    const clock = new ManualClock();
    const ballast = path.join(path.dirname(place.location), 'ballast');
    writeFileSync(ballast, new Uint8Array(1_500_000));
    const full = await openStore({ ...place, clock });
    const { stored, refused } = await fill(full);
    expect(HoldfastError.is(refused, 'store.full')).toBe(true);
    expect([...(await wholeUnits(full))].sort((a, b) => a - b)).toEqual(stored);

    rmSync(ballast);
    if (place.maxPages === undefined) {
      await full.store.commit(stormUnit(full, 1_000_000));
      await full.close();
    } else {
      await full.close();
      const roomier = await openStore({ location: place.location, clock });
      await roomier.store.commit(stormUnit(roomier, 1_000_000));
      await roomier.close();
    }
    const again = await openStore({ location: place.location, clock });
    expect([...(await wholeUnits(again))].sort((a, b) => a - b)).toEqual([...stored, 1_000_000]);
    await again.close();
  });

  it('refuses the unit whole at the limit of its own file', async () => {
    const opened = await openStore({ location: fresh(), clock: systemClock, maxPages: 512 });
    const { stored, refused } = await fill(opened);
    expect(HoldfastError.is(refused, 'store.full')).toBe(true);
    expect([...(await wholeUnits(opened))].sort((a, b) => a - b)).toEqual(stored);
    expect(stored.length).toBeGreaterThan(50);
    await opened.close();
  });
});

describe('a store file', () => {
  let opened: OpenStore | undefined;
  afterEach(() => opened?.close());

  it('can be read by its owner alone, as can the files beside it', async () => {
    const location = fresh();
    opened = await openStore({ location, clock: systemClock });
    await opened.store.commit(stormUnit(opened, 1));
    const files = readdirSync(folder).filter((name) => name.startsWith(path.basename(location)));
    expect(files).toHaveLength(3);
    for (const name of files) expect(statSync(path.join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it('that is no database is corrupt', async () => {
    const location = fresh();
    writeFileSync(location, 'x'.repeat(8192));
    await expect(openStore({ location, clock: systemClock })).rejects.toThrowError(coded('store.corrupt'));
  });

  it('that lost a page in the middle is corrupt, when read and when written', async () => {
    const location = fresh();
    const whole = await openStore({ location, clock: systemClock });
    for (let number = 0; number < 400; number++) await whole.store.commit(stormUnit(whole, number));
    await whole.close();
    const bytes = readFileSync(location);
    bytes.fill(0xff, 4096 * 3);
    writeFileSync(location, bytes);
    const read = async () => {
      const damaged = await openStore({ location, clock: systemClock });
      try {
        await wholeUnits(damaged);
      } finally {
        await damaged.close();
      }
    };
    await expect(read()).rejects.toThrowError(coded('store.corrupt'));
  });

  it('in a folder that is not there is unavailable', async () => {
    await expect(openStore({ location: '/nowhere/store.db', clock: systemClock })).rejects.toThrowError(
      coded('store.unavailable'),
    );
  });

  it('that another connection holds is unavailable, and usable once let go', async () => {
    const location = fresh();
    opened = await openStore({ location, clock: systemClock });
    const other = new DatabaseSync(location);
    other.exec('BEGIN IMMEDIATE');
    await expect(opened.store.commit(stormUnit(opened, 1))).rejects.toThrowError(coded('store.unavailable'));
    other.exec('ROLLBACK');
    other.close();
    await opened.store.commit(stormUnit(opened, 2));
    expect([...(await wholeUnits(opened))]).toEqual([2]);
  });

  it('cannot be written through its reader', async () => {
    opened = await openStore({ location: fresh(), clock: systemClock });
    const sneaky = query.insertInto('outbox_cursors').values({ consumer: 'x', sequence: 1 });
    await expect(opened.reader.all(sneaky)).rejects.toThrowError(coded('store.unavailable'));
  });
});

describe('migrations', () => {
  const extra = (statements: readonly string[]): Migration => ({ id: '9000-extra', statements: () => statements });
  const open = (location: string, migrations: readonly Migration[]) =>
    openStore({ location, clock: systemClock, migrations });
  const tables = (location: string) => {
    const db = new DatabaseSync(location, { readOnly: true });
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    db.close();
    return names.map((row) => row['name']);
  };

  it('are applied once and left alone after', async () => {
    const location = fresh();
    await (await open(location, MIGRATIONS)).close();
    const first = tables(location);
    await (await open(location, MIGRATIONS)).close();
    expect(tables(location)).toEqual(first);
    expect(first).toContain('audit_entries');
  });

  it('that fail half way leave the old schema, and run whole the next time', async () => {
    const location = fresh();
    await (await open(location, MIGRATIONS)).close();
    const before = tables(location);
    const broken = extra([
      'CREATE TABLE one (id INTEGER)',
      'CREATE TABLE two (id INTEGER',
      'CREATE TABLE three (id INTEGER)',
    ]);
    await expect(open(location, [...MIGRATIONS, broken])).rejects.toThrowError(coded('kernel.internal'));
    expect(tables(location)).toEqual(before);
    await (await open(location, [...MIGRATIONS, extra(['CREATE TABLE one (id INTEGER)'])])).close();
    expect(tables(location)).toEqual([...before, 'one'].toSorted((a, b) => String(a).localeCompare(String(b))));
  });

  it('that this version does not know stop it: the file belongs to a newer one', async () => {
    const location = fresh();
    await (await open(location, [...MIGRATIONS, extra(['CREATE TABLE one (id INTEGER)'])])).close();
    await expect(open(location, MIGRATIONS)).rejects.toThrowError(coded('store.newer'));
  });

  it('that changed after they were applied stop it', async () => {
    const location = fresh();
    await (await open(location, [...MIGRATIONS, extra(['CREATE TABLE one (id INTEGER)'])])).close();
    const changed = [...MIGRATIONS, extra(['CREATE TABLE one (id TEXT)'])];
    await expect(open(location, changed)).rejects.toThrowError(coded('store.migration_changed'));
  });

  it('with one id for two steps are refused', async () => {
    const twice = [...MIGRATIONS, extra([]), extra(['CREATE TABLE one (id INTEGER)'])];
    await expect(open(fresh(), twice)).rejects.toThrowError(coded('kernel.internal'));
  });
});
