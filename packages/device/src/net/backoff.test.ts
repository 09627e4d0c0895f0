import { ManualClock, seededRandom } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { renewalTime } from '../enroll/renewal.ts';
import { backoffMs, delay, fraction } from './backoff.ts';

describe('waiting', () => {
  it('spreads attempts over a range that doubles up to its limit', () => {
    const rule = { baseMs: 100, maxMs: 1000 };
    for (let attempt = 0; attempt < 40; attempt++) {
      const limit = Math.min(100 * 2 ** attempt, 1000);
      const delays = Array.from({ length: 50 }, (_, seed) => backoffMs(attempt, seededRandom(seed + 1), rule));
      expect(Math.max(...delays)).toBeLessThan(limit);
      expect(new Set(delays).size).toBeGreaterThan(40);
    }
  });

  it('renews between two thirds and three quarters of a life', () => {
    const validity = { notBefore: 1000, notAfter: 13_000 };
    for (let seed = 1; seed < 50; seed++) {
      const at = renewalTime(validity, seededRandom(seed));
      expect(at).toBeGreaterThanOrEqual(9000);
      expect(at).toBeLessThan(10_000);
    }
    expect(fraction(seededRandom(1))).toBeLessThan(1);
  });

  it('ends with the clock, or early with the signal', async () => {
    const clock = new ManualClock();
    const waited = delay(clock, 1000);
    clock.advance(1000);
    await waited;
    const stop = new AbortController();
    const stopped = delay(clock, 1000, stop.signal);
    stop.abort();
    await stopped;
    await delay(clock, 1000, stop.signal);
    expect(clock.monotonicMs()).toBe(1000);
  });
});
