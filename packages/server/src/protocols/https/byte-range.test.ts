import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RangeAnswer, readByteRange } from './byte-range.ts';

const part = (start: number, end: number): RangeAnswer => ({ kind: 'part', start, end });
const whole: RangeAnswer = { kind: 'whole' };
const unsatisfiable: RangeAnswer = { kind: 'unsatisfiable' };

describe('a Range field on 1000 bytes', () => {
  it.each<[string | undefined, RangeAnswer]>([
    [undefined, whole],
    ['bytes=0-499', part(0, 500)],
    ['bytes=500-', part(500, 1000)],
    ['bytes=999-999', part(999, 1000)],
    ['bytes=500-5000', part(500, 1000)],
    ['bytes=-200', part(800, 1000)],
    ['bytes=-5000', part(0, 1000)],
    ['bytes=1000-', unsatisfiable],
    ['bytes=1000-1200', unsatisfiable],
    ['bytes=-0', unsatisfiable],
    ['bytes=5-4', whole],
    ['bytes=0-1,4-5', whole],
    ['bytes=a-b', whole],
    ['bytes=-', whole],
    ['bytes 0-1', whole],
    ['items=0-1', whole],
    ['', whole],
  ])('%s', (field, answer) => {
    expect(readByteRange(field, 1000)).toEqual(answer);
  });

  it('never leaves the file, whatever is asked', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(2000), fc.nat(2000), fc.nat(1000), (text, first, last, size) => {
        for (const field of [text, `bytes=${first}-${last}`, `bytes=${first}-`, `bytes=-${last}`]) {
          const answer = readByteRange(field, size);
          if (answer.kind !== 'part') continue;
          expect(answer.start).toBeGreaterThanOrEqual(0);
          expect(answer.end).toBeGreaterThan(answer.start);
          expect(answer.end).toBeLessThanOrEqual(size);
        }
      }),
      { numRuns: 200 },
    );
  });
});
