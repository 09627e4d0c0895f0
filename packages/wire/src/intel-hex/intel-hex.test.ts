import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeIntelHex, encodeIntelHex } from './index.ts';

const coded = (code: string) => expect.objectContaining({ code });
const decode = (text: string) => decodeIntelHex(encodeUtf8(text));

describe('Intel HEX', () => {
  it('reads the example of its Wikipedia article', () => {
    const text =
      ':10010000214601360121470136007EFE09D2190140\n:100110002146017E17C20001FF5F16002148011928\n' +
      ':10012000194E79234623965778239EDA3F01B2CAA7\n:100130003F0156702B5E712B722B732146013421C7\n:00000001FF\n';
    const { address, bytes } = decode(text);
    expect([address, bytes.length, bytes[0], bytes.at(-1)]).toEqual([0x100, 64, 0x21, 0x21]);
    expect(encodeIntelHex([{ address, bytes }])).toBe(text);
  });

  it('reads back what it writes, at any address', () => {
    const address = fc.oneof(fc.nat(0xffffff), fc.constantFrom(0xfffe, 0x0800fff1, 0xffffff00));
    fc.assert(
      fc.property(address, fc.uint8Array({ minLength: 1, maxLength: 200 }), (at, bytes) => {
        expect(decode(encodeIntelHex([{ address: at, bytes }]))).toEqual({ address: at, bytes });
      }),
      { numRuns: 60 },
    );
  });

  it('fills gaps as erased flash reads, and honours segment addresses and line ends of every kind', () => {
    expect(decode(':020000021000EC\r\n:0100000001FE\r\n:0100030002FA\r\n:00000001FF\r\n')).toEqual({
      address: 0x10000,
      bytes: Uint8Array.of(1, 0xff, 0xff, 2),
    });
    expect(decode(':0400000508000131BD\n:0100000001FE\n:00000001FF')).toEqual({ address: 0, bytes: Uint8Array.of(1) });
  });

  it.each([
    ['a wrong checksum', ':0100000001FF\n:00000001FF\n'],
    ['a wrong length', ':0200000001FD\n:00000001FF\n'],
    ['a missing colon', '0100000001FE\n:00000001FF\n'],
    ['an odd digit', ':0100000001F\n:00000001FF\n'],
    ['an unknown record', ':00000006FA\n:00000001FF\n'],
    ['data given twice', ':0100000001FE\n:0100000001FE\n:00000001FF\n'],
    ['no data', ':00000001FF\n'],
    ['no end', ':0100000001FE\n'],
    ['data after the end', ':00000001FF\n:0100000001FE\n'],
    ['nothing', ''],
  ])('refuses %s', (_name, text) => {
    expect(() => decode(text)).toThrowError(coded('boot.bad_hex'));
  });

  it('allocates nothing for addresses far apart', () => {
    const far = encodeIntelHex([
      { address: 0, bytes: Uint8Array.of(1) },
      { address: 0xfffffff0, bytes: Uint8Array.of(1) },
    ]);
    expect(() => decode(far)).toThrowError(coded('wire.too_large'));
    expect(() => encodeIntelHex([{ address: 0xffffffff, bytes: new Uint8Array(2) }])).toThrowError(
      coded('boot.bad_option'),
    );
  });

  it('answers any text with a segment or a coded error', () => {
    const line = fc.stringMatching(/^:[0-9A-F]{10,14}$/);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 4 }), fc.string({ maxLength: 20 }), (lines, tail) => {
        try {
          decode([...lines, tail].join('\n'));
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
    );
  });
});
