import { HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDestruction } from './destruction.ts';

const SPKI = 'ab'.repeat(32);
const WHOLE = `holdfast/key-destroyed/v1\n${SPKI}\ntpm\n${'01'.repeat(24)}\n`;
const malformed = expect.objectContaining({ code: 'wire.malformed' });

describe('the statement of a destroyed key', () => {
  it('names the key, where it lived and what it was given to sign', () => {
    expect(parseDestruction(WHOLE)).toEqual({ spkiSha256: SPKI, store: 'tpm', challenge: '01'.repeat(24) });
  });

  it('is refused cut short anywhere, and with anything behind it', () => {
    for (let length = 0; length < WHOLE.length; length++) {
      expect(() => parseDestruction(WHOLE.slice(0, length))).toThrowError(malformed);
    }
    expect(() => parseDestruction(`${WHOLE}\n`)).toThrowError(malformed);
  });

  it.each([
    ['another version', WHOLE.replace('/v1', '/v2')],
    ['capital letters', WHOLE.replace(SPKI, SPKI.toUpperCase())],
    ['another store', WHOLE.replace('tpm', 'paper')],
    ['no challenge', WHOLE.replace('01'.repeat(24), '')],
    ['other line ends', WHOLE.replaceAll('\n', '\r\n')],
  ])('is refused with %s', (_name, text) => {
    expect(() => parseDestruction(text)).toThrowError(malformed);
  });

  it('gives a value or one coded error for arbitrary text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseDestruction(text);
        } catch (error) {
          expect(HoldfastError.is(error, 'wire.malformed')).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});
