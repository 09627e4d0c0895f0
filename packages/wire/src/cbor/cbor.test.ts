import { decodeHex, encodeHex, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, cborTagged, decodeCbor, decodeCborMap, encodeCbor, isCborTagged } from './index.ts';

/** RFC 8949 appendix A, the examples inside our subset. */
const APPENDIX_A: readonly (readonly [string, CborValue])[] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
  ['20', -1],
  ['3903e7', -1000],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array()],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['6449455446', 'IETF'],
  ['62c3bc', 'ü'],
  ['64f0908591', '𐅑'],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['a0', new Map()],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    'a26161016162820203',
    new Map<string, CborValue>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  ],
];

const REFUSED: readonly (readonly [string, string])[] = [
  ['1817', 'an integer in more bytes than it needs'],
  ['5801aa', 'a length in more bytes than it needs'],
  ['a201020103', 'a doubled integer key'],
  ['a2616101616102', 'a doubled text key'],
  ['a141aa01', 'a byte-string key'],
  ['9fff', 'an indefinite array'],
  ['5f4101ff', 'an indefinite byte string'],
  ['f93c00', 'a float'],
  ['fb3ff199999999999a', 'a long float'],
  ['f7', 'undefined'],
  ['c001', 'a tag that was not asked for'],
  ['62c328', 'text that is not UTF-8'],
  ['0000', 'bytes after the item'],
  ['', 'nothing'],
  ['5affffffff', 'a length far beyond the end'],
  ['9affffffff', 'a count far beyond the end'],
  ['81'.repeat(17) + '00', 'nesting over 16'],
  ['ff', 'a lone break'],
];

describe('CBOR', () => {
  it.each(APPENDIX_A)('reads and writes RFC 8949 example %s', (hex, value) => {
    expect(decodeCbor(decodeHex(hex))).toEqual(value);
    expect(encodeHex(encodeCbor(value))).toBe(hex);
  });

  it.each(REFUSED)('refuses %s: %s', (hex) => {
    expect(() => decodeCbor(decodeHex(hex))).toThrow(HoldfastError);
  });

  it('takes longer integer forms only when told to be tolerant', () => {
    expect(decodeCbor(decodeHex('1817'), { form: 'tolerant' })).toBe(23);
    expect(() => decodeCbor(decodeHex('a2010218 0103'.replace(' ', '')), { form: 'tolerant' })).toThrow(HoldfastError);
    expect(() => decodeCbor(decodeHex('9fff'), { form: 'tolerant' })).toThrow(HoldfastError);
  });

  it('reads the block request that the AWS stream library sends', () => {
    const request = decodeCborMap(
      decodeHex('a6616363726479616600616c191000616f0261 62444d513d3d616e01'.replaceAll(' ', '')),
    );
    expect(Object.fromEntries(request)).toEqual({
      c: 'rdy',
      f: 0,
      l: 4096,
      o: 2,
      b: Uint8Array.of(0x4d, 0x51, 0x3d, 0x3d),
      n: 1,
    });
  });

  it('keeps a tag that was asked for', () => {
    const value = decodeCbor(encodeCbor(cborTagged(18, [1])), { tags: [18] });
    expect(isCborTagged(value) && value.tag).toBe(18);
  });

  it('sorts map keys by their encoded bytes', () => {
    expect(
      encodeHex(
        encodeCbor(
          new Map([
            [100, 0],
            [-1, 0],
            [10, 0],
          ]),
        ),
      ),
    ).toBe('a30a001864002000');
  });

  it('survives a round trip', () => {
    const leaf = fc.oneof(
      fc.maxSafeInteger(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 20 }),
    );
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
      ),
    })).value;
    fc.assert(
      fc.property(tree, (value) => {
        const bytes = encodeCbor(value as CborValue);
        expect(decodeCbor(bytes)).toEqual(value);
        expect(encodeCbor(decodeCbor(bytes))).toEqual(bytes);
      }),
      { numRuns: 200 },
    );
  });

  it('gives a value or one coded error for arbitrary bytes, in both forms', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom('strict', 'tolerant'), (bytes, form) => {
        try {
          decodeCbor(bytes, { form: form as 'strict' });
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
