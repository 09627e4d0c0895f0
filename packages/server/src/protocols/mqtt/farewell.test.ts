import { ManualClock, seededRandom } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { dismissInWaves } from './farewell.ts';

async function gone(count: number): Promise<readonly number[]> {
  const clock = new ManualClock();
  const sent: number[] = [];
  const connections = Array.from({ length: count }, (_, at) => ({ fail: () => void sent.push(at) }));
  const state = { over: false };
  const done = (async () => {
    await dismissInWaves(connections, { clock, random: seededRandom(1) });
    state.over = true;
  })();
  const settle = async () => {
    for (let tick = 0; tick < 4; tick++) await Promise.resolve();
  };
  await settle();
  const waves = [sent.length];
  while (!state.over) {
    clock.advance(100);
    await settle();
    waves.push(sent.length);
  }
  await done;
  expect(new Set(sent).size).toBe(count);
  return waves;
}

describe('clients that are sent elsewhere', () => {
  it('go at once when they are few', async () => {
    expect(await gone(50)).toEqual([50]);
  });

  it('go wave by wave when they are many, each once, and in no more than fifty waves', async () => {
    expect((await gone(120)).slice(0, 3)).toEqual([50, 100, 120]);
    expect((await gone(10_000)).length).toBeLessThanOrEqual(51);
  });

  it('are told to use another server', async () => {
    const told: unknown[] = [];
    await dismissInWaves([{ fail: (...words) => void told.push(words) }], {
      clock: new ManualClock(),
      random: seededRandom(1),
    });
    expect(told).toEqual([[0x9c, 'server-shutdown']]);
  });
});
