import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '@holdfast/kernel';
import {
  decodeMcubootImage,
  decodeTlvArea,
  decodeTrailer,
  encodeTlvArea,
  padToSlot,
  trailerLayout,
  trailerMagic,
  trailerSize,
} from './index.ts';
import { sealedSample } from './sealed-sample.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('metadata entries', () => {
  const tlv = (type: number, size: number) => ({ type, value: new Uint8Array(size) });

  it.each([
    ['an unsigned security counter (CVE-2024-32883)', 'unprotected', [tlv(0x50, 4)], 'boot.tlv_not_allowed'],
    ['an unsigned dependency (CVE-2024-32883)', 'unprotected', [tlv(0x40, 12)], 'boot.tlv_not_allowed'],
    ['an unsigned boot record (CVE-2024-32883)', 'unprotected', [tlv(0x60, 9)], 'boot.tlv_not_allowed'],
    ['an unsigned vendor entry', 'unprotected', [tlv(0xa0, 3)], 'boot.tlv_not_allowed'],
    ['an unknown unsigned type', 'unprotected', [tlv(0x26, 3)], 'boot.tlv_not_allowed'],
    ['a type that imgtool would read as a hash', 'unprotected', [tlv(0x0110, 32)], 'boot.tlv_not_allowed'],
    ['the retired ECDSA-224', 'unprotected', [tlv(0x21, 64)], 'boot.tlv_not_allowed'],
    ['a key in the signed area', 'protected', [tlv(0x01, 32)], 'boot.tlv_not_allowed'],
    ['an unknown type in the signed area', 'protected', [tlv(0x76, 1)], 'boot.tlv_not_allowed'],
    ['a hash without bytes', 'unprotected', [tlv(0x10, 0)], 'boot.bad_tlv'],
    ['a hash of one byte', 'unprotected', [tlv(0x10, 1)], 'boot.bad_tlv'],
    ['a hash one byte short', 'unprotected', [tlv(0x10, 31)], 'boot.bad_tlv'],
    ['a hash one byte long', 'unprotected', [tlv(0x10, 33)], 'boot.bad_tlv'],
    ['a counter of three bytes', 'protected', [tlv(0x50, 3)], 'boot.bad_tlv'],
    ['two hashes', 'unprotected', [tlv(0x10, 32), tlv(0x10, 32)], 'boot.tlv_duplicate'],
    ['two signatures', 'unprotected', [tlv(0x22, 70), tlv(0x22, 70)], 'boot.tlv_duplicate'],
    ['two counters', 'protected', [tlv(0x50, 4), tlv(0x50, 4)], 'boot.tlv_duplicate'],
    ['a vendor entry given twice', 'protected', [tlv(0xa0, 1), tlv(0xa0, 1)], 'boot.tlv_duplicate'],
  ] as const)('refuse %s', (_name, area, tlvs, code) => {
    expect(() => decodeTlvArea(encodeTlvArea(area, tlvs), 0, area)).toThrowError(coded(code));
  });

  it('read back as they are written', () => {
    const tlvs = fc.uniqueArray(fc.record({ type: fc.integer({ min: 0xa0, max: 0xfffe }), value: fc.uint8Array() }), {
      minLength: 1,
      maxLength: 5,
      selector: (entry) => entry.type,
    });
    fc.assert(
      fc.property(tlvs, (entries) => {
        const bytes = encodeTlvArea('protected', entries);
        expect(decodeTlvArea(bytes, 0, 'protected')).toEqual({ tlvs: entries, end: bytes.length });
      }),
      { numRuns: 50 },
    );
  });

  it('cannot reach past their own area into the next', () => {
    const inner = encodeTlvArea('protected', [tlv(0xa0, 4)]);
    inner[6] = 8; // The entry now claims the first bytes of what follows the area.
    expect(() => decodeTlvArea(concatBytes(inner, new Uint8Array(16)), 0, 'protected')).toThrowError(
      coded('wire.truncated'),
    );
  });

  it('accept the type of PSoC 64 only where the product uses it', () => {
    const area = encodeTlvArea('protected', [tlv(0x81, 1)]);
    expect(() => decodeTlvArea(area, 0, 'protected')).toThrowError(coded('boot.tlv_not_allowed'));
    expect(decodeTlvArea(area, 0, 'protected', [0x81]).tlvs).toHaveLength(1);
  });
});

describe('what follows an image', () => {
  const image = sealedSample();
  const room = { align: 8, writeSize: 4, maxSectors: 4 } as const;

  it.each([8, 16, 32] as const)('is a trailer with alignment %i that reads back', (align) => {
    for (const confirmed of [false, true]) {
      for (const erasedValue of [0x00, 0xff] as const) {
        const slot = padToSlot(image, 1024, { ...room, align }, { confirmed, erasedValue });
        expect(slot).toHaveLength(1024);
        expect(decodeMcubootImage(slot).trailer).toEqual({ align, confirmed, erasedValue });
      }
    }
  });

  it.each([
    ['one byte', (slot: Uint8Array) => slot.subarray(0, image.length + 1)],
    ['erased bytes without a trailer', (slot: Uint8Array) => slot.subarray(0, slot.length - 1)],
    ['code between image and trailer', (slot: Uint8Array) => slot.fill(0x90, image.length + 10, image.length + 11)],
    ['a mixed filling', (slot: Uint8Array) => slot.fill(0x00, image.length + 1, image.length + 2)],
    [
      'another value of image_ok',
      (slot: Uint8Array) => slot.fill(0x03, slot.length - trailerLayout(8).imageOk).fill(0xff, slot.length - 23),
    ],
    ['a trailer too close to the image', () => concatBytes(image, Uint8Array.of(0xff), trailerMagic(8))],
  ] as const)('is refused when it is %s: it would be copied though nothing signs it', (_name, change) => {
    const bytes = change(padToSlot(image, 1024, room));
    expect(() => decodeMcubootImage(bytes)).toThrowError(coded('boot.trailing_bytes'));
    expect(decodeMcubootImage(bytes, { tail: 'slot' }).bytes).toEqual(image);
  });

  it('needs as much room as imgtool reserves', () => {
    expect(trailerSize({ align: 8, writeSize: 4 })).toBe(128 * 3 * 4 + 32 + 16);
    expect(trailerSize({ align: 32, writeSize: 32, maxSectors: 10 })).toBe(10 * 3 * 32 + 128 + 32);
    expect(trailerSize({ align: 16, writeSize: 1, overwriteOnly: true })).toBe(48);
    expect(trailerSize({ align: 8, writeSize: 8, encrypted: true })).toBe(128 * 3 * 8 + 32 + 32 + 16);
    expect(trailerSize({ align: 8, writeSize: 8, encrypted: true, savedEncryptionTlv: 113 })).toBe(
      128 * 3 * 8 + 240 + 32 + 16,
    );
  });

  it('does not fit a slot that is one byte too small', () => {
    const exact = image.length + trailerSize(room);
    expect(padToSlot(image, exact, room)).toHaveLength(exact);
    expect(() => padToSlot(image, exact - 1, room)).toThrowError(coded('boot.image_too_large'));
  });

  it('is never a trailer when it is shorter than one', () => {
    const tail = padToSlot(image, 1024, room).subarray(-40);
    for (let length = 1; length < 32; length++) {
      expect(() => decodeTrailer(tail.subarray(-length))).toThrowError(coded('boot.trailing_bytes'));
    }
  });
});
