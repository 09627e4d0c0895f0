import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { seededRandom, silentLog, systemClock } from '@holdfast/kernel';
import { afterAll, expect, it } from 'vitest';
import { Spool } from './spool.ts';
import { stormKeys } from './testing/storm-keys.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-spool-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const STORM = path.join(import.meta.dirname, 'testing', 'spool-storm.ts');

/** Runs the storm, kills it after `killMs` and gives the numbers it said were durable. */
async function killedStorm(first: number, killMs: number): Promise<number[]> {
  const child = spawn(process.execPath, [STORM, folder, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
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

it('a spool whose process is killed holds every message it acknowledged, once and in order', async () => {
  const acknowledged: number[] = [];
  for (const [round, killMs] of [0, 5, 20, 60, 120].entries()) {
    acknowledged.push(...(await killedStorm(round * 1_000_000, killMs)));
    const spool = await Spool.open({
      folder,
      keys: stormKeys(9_000_000),
      clock: systemClock,
      random: seededRandom(7),
      log: silentLog,
      segmentBytes: 20_000,
    });
    const reader = spool.reader(0);
    const held: number[] = [];
    let offset = -1;
    for (let block = await reader.next(); block !== undefined; block = await reader.next()) {
      for (const message of block) {
        expect(message.offset).toBeGreaterThan(offset);
        offset = message.offset;
        held.push(Number(Buffer.from(message.payload).toString()));
      }
    }
    await reader.close();
    await spool.close();
    const all = new Set(held);
    expect(acknowledged.filter((number) => !all.has(number))).toEqual([]);
    expect(all.size).toBe(held.length);
  }
  expect(acknowledged.length).toBeGreaterThan(100);
});
