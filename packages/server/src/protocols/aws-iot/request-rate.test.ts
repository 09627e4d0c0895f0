import { ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { type RateLimit, RequestRate } from './request-rate.ts';

const limited = expect.objectContaining({ code: 'update.rate_limited' }) as unknown;

function rateOf(limit: RateLimit): { readonly clock: ManualClock; readonly rate: RequestRate } {
  const clock = new ManualClock();
  return { clock, rate: new RequestRate(limit, clock) };
}

describe('a rate of requests', () => {
  it('lets a burst through, then refuses until time gives tokens back', async () => {
    const { clock, rate } = rateOf({ burst: 2, perSecond: 4 });
    await rate.take('a');
    await rate.take('a');
    await expect(rate.take('a')).rejects.toEqual(limited);
    clock.advance(249);
    await expect(rate.take('a')).rejects.toEqual(limited);
    clock.advance(1);
    await rate.take('a');
    await expect(rate.take('a')).rejects.toEqual(limited);
  });

  it('is counted for each connection', async () => {
    const { rate } = rateOf({ burst: 1, perSecond: 1 });
    await rate.take('a');
    await rate.take('b');
    await expect(rate.take('a')).rejects.toEqual(limited);
  });

  it('gives no more than its burst back', async () => {
    const { clock, rate } = rateOf({ burst: 2, perSecond: 4 });
    clock.advance(60_000);
    await rate.take('a');
    await rate.take('a');
    await expect(rate.take('a')).rejects.toEqual(limited);
  });

  it('holds patient requests back in turn, and refuses what would wait too long', async () => {
    const { clock, rate } = rateOf({ burst: 1, perSecond: 10, patienceMs: 250 });
    const passed: string[] = [];
    const ask = async (name: string) => {
      await rate.take('a');
      passed.push(name);
    };
    const asked = [ask('first'), ask('second'), ask('third')];
    await expect(rate.take('a')).rejects.toEqual(limited);
    await asked[0];
    expect(passed).toEqual(['first']);
    clock.advance(100);
    await asked[1];
    expect(passed).toEqual(['first', 'second']);
    clock.advance(100);
    await Promise.all(asked);
    expect(passed).toEqual(['first', 'second', 'third']);
  });
});
