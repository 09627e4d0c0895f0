import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHex, encodeHex, HoldfastError } from '@holdfast/kernel';
import {
  decodeDer,
  type DerReader,
  encodeBitString,
  encodeBoolean,
  encodeContext,
  encodeGeneralizedTime,
  encodeInteger,
  encodeNamedBits,
  encodeOid,
  encodeSequence,
  encodeSetOf,
  encodeTime,
  encodeUnsigned,
  encodeUtf8String,
} from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const reading = <T>(hex: string, read: (reader: DerReader) => T) => decodeDer(decodeHex(hex), 'value', read);

describe('integers', () => {
  // X.690 8.3 and the examples of "A Layman's Guide to a Subset of ASN.1, BER, and DER", 5.7.
  it.each([
    ['020100', 0n],
    ['02017f', 127n],
    ['02020080', 128n],
    ['02020100', 256n],
    ['020180', -128n],
    ['0202ff7f', -129n],
  ])('%s is %s in both directions', (hex, value) => {
    expect(reading(hex, (r) => r.integer('n'))).toBe(value);
    expect(encodeHex(encodeInteger(value))).toBe(hex);
  });

  it.each(['0200', '02020000', '0202007f', '0202ff80', '0203ffff00'])('%s is refused as not minimal', (hex) => {
    expect(() => reading(hex, (r) => r.integer('n'))).toThrowError(coded('wire.malformed'));
  });

  it('come back for any value, and unsigned octets never turn negative', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 200n), max: 1n << 200n }), (value) => {
        expect(decodeDer(encodeInteger(value), 'n', (r) => r.integer('n'))).toBe(value);
      }),
    );
    expect(encodeHex(encodeUnsigned(Uint8Array.of(0, 0, 0x80)))).toBe('02020080');
    expect(encodeHex(encodeUnsigned(new Uint8Array(0)))).toBe('020100');
  });

  it('refuse what does not fit the stated range', () => {
    expect(() => reading('0203010000', (r) => r.uint('n', 65_535))).toThrowError(coded('wire.too_large'));
    expect(() => reading('0209008000000000000000', (r) => r.uint('n'))).toThrowError(coded('wire.too_large'));
    expect(() => reading('0201ff', (r) => r.uint('n'))).toThrowError(coded('wire.malformed'));
  });
});

describe('lengths', () => {
  it.each([
    ['0480', 'wire.malformed'], // indefinite
    ['30800000', 'wire.malformed'],
    ['04810100', 'wire.malformed'], // long form for a short length
    ['0482008000', 'wire.malformed'], // leading zero
    ['048501000000000000', 'wire.too_large'],
    ['0484ffffffff', 'wire.truncated'],
    ['0402aa', 'wire.truncated'],
    ['04', 'wire.truncated'],
    ['', 'wire.truncated'],
    ['1f8101', 'wire.unsupported'],
  ])('%s gives %s', (hex, code) => {
    expect(() => reading(hex, (r) => r.any('value'))).toThrowError(coded(code));
  });

  it('of 128, 256 and 65,536 octets take one, two and three more', () => {
    for (const [size, header] of [
      [127, '047f'],
      [128, '048180'],
      [256, '04820100'],
      [65_536, '0483010000'],
    ] as const) {
      const der = decodeHex(header + '00'.repeat(size));
      expect(decodeDer(der, 'value', (r) => r.octetString('value')).length).toBe(size);
    }
  });
});

describe('object identifiers', () => {
  it.each([
    ['06062a864886f70d', '1.2.840.113549'],
    ['0603883703', '2.999.3'], // X.690 8.19.5
    ['06082a8648ce3d030107', '1.2.840.10045.3.1.7'],
    ['060100', '0.0'],
  ])('%s is %s in both directions', (hex, oid) => {
    expect(reading(hex, (r) => r.oid('oid'))).toBe(oid);
    expect(encodeHex(encodeOid(oid))).toBe(hex);
  });

  it.each(['0600', '060180', '06038080 01'.replace(' ', ''), '06022a80', '06032a8001'])('%s is refused', (hex) => {
    expect(() => reading(hex, (r) => r.oid('oid'))).toThrowError(coded('wire.malformed'));
  });

  it.each(['', '1', '3.1', '1.40', '1.2.', '1.02', 'a.b', '1.2.-3'])('text %j is refused', (oid) => {
    expect(() => encodeOid(oid)).toThrowError(coded('wire.malformed'));
  });
});

describe('other types', () => {
  it('BOOLEAN is 00 or ff alone, and an encoded default is refused', () => {
    expect(reading('0101ff', (r) => r.boolean('b'))).toBe(true);
    for (const hex of ['010101', '0100', '01020000']) {
      expect(() => reading(hex, (r) => r.boolean('b'))).toThrowError(coded('wire.malformed'));
    }
    expect(() => reading('010100', (r) => r.defaultFalse('b'))).toThrowError(coded('wire.malformed'));
    expect(encodeHex(encodeBoolean(false))).toBe('010100');
  });

  it('BIT STRING has zero padding and a count that fits', () => {
    expect(reading('030206c0', (r) => r.bitString('b'))).toEqual({ bytes: Uint8Array.of(0xc0), unusedBits: 6 });
    for (const hex of ['0300', '030101', '030208ff', '030206c1']) {
      expect(() => reading(hex, (r) => r.bitString('b'))).toThrowError(coded('wire.malformed'));
    }
    expect(() => reading('030206c0', (r) => r.octetBitString('b'))).toThrowError(coded('wire.malformed'));
    expect(encodeHex(encodeNamedBits([5, 6]))).toBe('03020106'); // keyCertSign, cRLSign
    expect(encodeHex(encodeNamedBits([]))).toBe('030100');
    expect(encodeHex(encodeNamedBits([8]))).toBe('0303070080');
    expect(encodeHex(encodeBitString(Uint8Array.of(1)))).toBe('03020001');
  });

  it('SET OF is written sorted and read only sorted', () => {
    const der = encodeSetOf(encodeInteger(300), encodeInteger(2), encodeInteger(1));
    expect(encodeHex(der)).toBe('310a020101020102 0202012c'.replace(' ', ''));
    expect(decodeDer(der, 's', (r) => r.setOf('s', (i) => i.integer('i')))).toEqual([1n, 2n, 300n]);
    expect(() => reading('3106020102020101', (r) => r.setOf('s', (i) => i.integer('i')))).toThrowError(
      coded('wire.malformed'),
    );
  });

  it('strings keep to the alphabet of their type', () => {
    expect(reading('1e0400480069', (r) => r.string('s'))).toBe('Hi');
    expect(reading('0c02c3a9', (r) => r.string('s'))).toBe('é');
    for (const hex of [
      '130140',
      '1601c3',
      '0c01c3',
      '1e01 48'.replace(' ', ''),
      '1e02d800',
      '1c0400110000',
      '020101',
    ]) {
      expect(() => reading(hex, (r) => r.string('s'))).toThrowError(coded('wire.malformed'));
    }
  });
});

describe('times', () => {
  it.each([
    ['2026-01-02T03:04:05Z', '170d3236303130323033303430355a'],
    ['1950-01-01T00:00:00Z', '170d3530303130313030303030305a'],
    ['2049-12-31T23:59:59Z', '170d3439313233313233353935395a'],
    ['2050-01-01T00:00:00Z', '180f32303530303130313030303030305a'],
    ['9999-12-31T23:59:59Z', '180f39393939313233313233353935395a'],
    ['2028-02-29T00:00:00Z', '170d3238303232393030303030305a'],
    ['0001-03-01T00:00:00Z', '180f30303031303330313030303030305a'],
    ['1949-12-31T23:59:59Z', '180f31393439313233313233353935395a'],
  ])('%s changes type where RFC 5280 says', (text, hex) => {
    expect(encodeHex(encodeTime(Date.parse(text)))).toBe(hex);
    expect(reading(hex, (r) => r.time('t')).at).toBe(Date.parse(text));
  });

  it.each([
    '2601020304Z',
    '260102030405',
    '260102030405+0000',
    '261302030405Z',
    '260230030405Z',
    '270229000000Z',
    '260431000000Z',
    '260100000000Z',
    '260001000000Z',
    '260102240000Z',
    '260102030460Z',
    '2601020304.5Z',
  ])('UTCTime %s is refused', (text) => {
    const hex = `17${text.length.toString(16).padStart(2, '0')}${Buffer.from(text).toString('hex')}`;
    expect(() => reading(hex, (r) => r.time('t'))).toThrowError(coded('wire.malformed'));
  });

  it('GeneralizedTime is cut to the second and carries no fraction', () => {
    expect(decodeDer(encodeGeneralizedTime(1_999), 't', (r) => r.generalizedTime('t'))).toBe(1_000);
    expect(() => reading('181132303530303130313030303030302e315a', (r) => r.time('t'))).toThrowError(
      coded('wire.malformed'),
    );
  });
});

describe('elements nobody interprets', () => {
  it.each([
    ['a constructed string', '240404020102'],
    ['a boolean of 1', '300301 0101'.replace(' ', '')],
    ['a padded integer', '300402020001'],
    ['an identifier cut short', '3003060180'],
    ['a NULL with content', '3003050100'],
    ['a real number', '3002 0900'.replace(' ', '')],
    ['a primitive sequence', '1000'],
    ['a time without seconds', '300d170b323630313032303330345a'],
  ])('are refused for %s', (_name, hex) => {
    expect(() => reading(hex, (r) => r.any('value'))).toThrowError(coded('wire.malformed'));
  });

  it('are left alone under a tag of the context', () => {
    expect(reading('800101', (r) => r.any('value')).length).toBe(3);
  });
});

describe('structure', () => {
  const tree = encodeSequence(
    encodeInteger(5),
    encodeContext(0, encodeUtf8String('text')),
    encodeSequence(encodeOid('1.2.3'), encodeBoolean(true)),
  );

  it('refuses every prefix and anything after the end', () => {
    for (let length = 0; length < tree.length; length++) {
      expect(() => decodeDer(tree.subarray(0, length), 'tree', (r) => r.any('tree'))).toThrowError(HoldfastError);
    }
    expect(() => decodeDer(Uint8Array.of(...tree, 0), 'tree', (r) => r.any('tree'))).toThrowError(
      coded('wire.trailing_bytes'),
    );
  });

  it('refuses nesting over 32 levels before the stack ends', () => {
    let deep: Uint8Array = encodeInteger(1);
    for (let level = 0; level < 40; level++) deep = encodeSequence(deep);
    expect(() => decodeDer(deep, 'deep', (r) => r.any('deep'))).toThrowError(coded('wire.too_large'));
  });

  it('gives a value or one coded error for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(decodeDer(bytes, 'any', (r) => r.any('any'))).toEqual(bytes);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
