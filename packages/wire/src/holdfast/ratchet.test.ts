import { HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRatchetProof, encodeRatchetProof, RATCHET_VALUE_BYTES } from './ratchet.ts';

const value = (fill: number) => new Uint8Array(RATCHET_VALUE_BYTES).fill(fill);

describe('a ratchet proof', () => {
  it.each([[[value(1)]], [[value(1), value(2)]]])('reads back what was shown', (values) => {
    expect(decodeRatchetProof(encodeRatchetProof(values))).toEqual(values);
  });

  it('refuses every other length', () => {
    const whole = encodeRatchetProof([value(1), value(2), value(3)]);
    for (let length = 0; length <= whole.length; length++) {
      if (length === RATCHET_VALUE_BYTES || length === 2 * RATCHET_VALUE_BYTES) continue;
      expect(() => decodeRatchetProof(whole.subarray(0, length))).toThrowError(
        expect.objectContaining({ code: 'request.invalid' }),
      );
    }
  });

  it('gives values or one coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(encodeRatchetProof(decodeRatchetProof(bytes))).toEqual(bytes);
        } catch (error) {
          expect(HoldfastError.is(error, 'request.invalid')).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});
