import { describe, expect, it } from 'vitest';
import { RateLimit, siteOf } from './rate-limit.ts';

describe('a rate limit', () => {
  const take = (limit: RateLimit, times: number, now: number, key = 'a'): string[] =>
    Array.from({ length: times }, () => limit.take(key, now));

  it('lets a burst through, then what comes back with time', () => {
    const limit = new RateLimit({ burst: 2, perSecond: 1 });
    expect(take(limit, 4, 0)).toEqual(['taken', 'taken', 'refused-first', 'refused']);
    expect(take(limit, 2, 1000)).toEqual(['taken', 'refused-first']);
    expect(take(limit, 3, 60_000)).toEqual(['taken', 'taken', 'refused-first']);
  });

  it('counts each key for itself', () => {
    const limit = new RateLimit({ burst: 1, perSecond: 1 });
    expect([...take(limit, 1, 0, 'a'), ...take(limit, 1, 0, 'b'), ...take(limit, 1, 0, 'a')]).toEqual([
      'taken',
      'taken',
      'refused-first',
    ]);
  });

  it('does not forget a key that is being refused to make room for others', () => {
    const limit = new RateLimit({ burst: 1, perSecond: 0.001 });
    expect(take(limit, 1, 0, 'attacker')).toEqual(['taken']);
    for (let i = 0; i < 10_050; i++) limit.take(`key-${i}`, 0);
    expect(take(limit, 1, 1, 'attacker')).not.toEqual(['taken']);
  });
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('whoever has %s is counted as %s', (address, site) => {
  expect(siteOf(address)).toBe(site);
});
