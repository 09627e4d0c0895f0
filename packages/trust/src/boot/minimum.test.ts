import { describe, expect, it } from 'vitest';
import { shortfallOf } from './minimum.ts';

describe('the minimum of a product', () => {
  it.each([
    ['no limit', { minimumVersion: undefined, minimumCounter: 0 }, undefined],
    ['both reached exactly', { minimumVersion: '1.10.0', minimumCounter: 3 }, undefined],
    ['a counter that is lower', { minimumVersion: '1.10.0', minimumCounter: 4 }, 'counter'],
    ['a version that is older by number, not by text', { minimumVersion: '1.11.0', minimumCounter: 0 }, 'version'],
    ['an older version by text alone', { minimumVersion: '1.9.0', minimumCounter: 0 }, undefined],
    ['an older build', { minimumVersion: '1.10.0+6', minimumCounter: 0 }, 'version'],
    ['both missed', { minimumVersion: '2.0.0', minimumCounter: 9 }, 'counter'],
  ])('answers %s', (_name, minimum, expected) => {
    expect(shortfallOf(minimum, { version: '1.10.0+5', counter: 3 })).toBe(expected);
  });
});
