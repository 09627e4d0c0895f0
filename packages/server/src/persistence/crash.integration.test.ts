import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '@holdfast/kernel';
import { afterAll, describe, expect, it } from 'vitest';
import { stormUnit, wholeUnits } from './conformance/storm-unit.ts';
import { SQLITE_TYPES } from './dialects/sqlite.ts';
import { compileMigrations } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { openStore } from './open-store.ts';
import { SqliteReader } from './reader.ts';
import { auditLog, outbox } from './repositories/log.ts';
import { toStoreWrites } from './write.ts';
import { WriterCore } from './writer-core.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const STORM = path.join(import.meta.dirname, 'conformance', 'write-storm.ts');
const migrations = compileMigrations(MIGRATIONS, SQLITE_TYPES);

/** Runs the storm, kills it after `killMs` and gives the numbers it acknowledged. */
async function killedStorm(file: string, first: number, killMs: number): Promise<number[]> {
  const child = spawn(process.execPath, [STORM, file, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  while (!output.includes('open')) await once(child.stdout, 'data');
  await setTimeout(killMs);
  child.kill('SIGKILL');
  await once(child, 'close');
  return output.split('\n').slice(1, -1).map(Number);
}

describe('a store whose process is killed', () => {
  it('holds every unit it acknowledged and no half one, at whatever moment it was killed', async () => {
    const file = path.join(folder, 'storm.db');
    const acknowledged: number[] = [];
    for (const [round, killMs] of [0, 3, 11, 40, 90, 150].entries()) {
      acknowledged.push(...(await killedStorm(file, round * 1_000_000, killMs)));
      const opened = await openStore({ location: file, clock: systemClock });
      const whole = await wholeUnits(opened);
      expect(acknowledged.filter((number) => !whole.has(number))).toEqual([]);
      await opened.close();
    }
    expect(acknowledged.length).toBeGreaterThan(100);
  });
});

describe('a store whose last write was torn', () => {
  const source = path.join(folder, 'torn.db');
  const UNITS = 12;

  /** A file with every unit still in the write-ahead log, as a crash would leave it. */
  function build(): void {
    if (existsSync(source)) return;
    const core = new WriterCore({ location: source, migrations });
    core.checkpoint();
    for (let number = 0; number < UNITS; number++) {
      core.run([{ at: 0, writes: toStoreWrites(stormUnit({ outbox, audit: auditLog }, number)) }]);
    }
    copyFileSync(source, `${source}.kept`);
    copyFileSync(`${source}-wal`, `${source}.kept-wal`);
    core.close();
  }

  async function opensAfter(damage: (wal: string) => void): Promise<number[]> {
    const file = path.join(folder, 'damaged.db');
    rmSync(`${file}-shm`, { force: true });
    copyFileSync(`${source}.kept`, file);
    copyFileSync(`${source}.kept-wal`, `${file}-wal`);
    damage(`${file}-wal`);
    const core = new WriterCore({ location: file, migrations });
    try {
      return [...(await wholeUnits({ reader: new SqliteReader(core.db) }))].sort((a, b) => a - b);
    } finally {
      core.close();
    }
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

  it('opens with every unit when nothing was lost', async () => {
    build();
    expect(await opensAfter(() => undefined)).toEqual(upTo(UNITS));
  });

  it('opens with a whole number of units, in order, wherever the end is cut off', async () => {
    build();
    const { length } = readFileSync(`${source}.kept-wal`);
    for (let cut = 1; cut <= 4120; cut += 47) {
      const units = await opensAfter((wal) => truncateSync(wal, length - cut));
      expect(units).toEqual(upTo(units.length));
      expect(units.length).toBe(UNITS - 1);
    }
  });

  it('opens without the unit in whose frame a byte changed, and without what followed it', async () => {
    build();
    const whole = readFileSync(`${source}.kept-wal`);
    for (let at = whole.length - 4120; at < whole.length; at += 211) {
      const units = await opensAfter((wal) => {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ 0x40;
        writeFileSync(wal, bytes);
      });
      expect(units).toEqual(upTo(UNITS - 1));
    }
  });
});
