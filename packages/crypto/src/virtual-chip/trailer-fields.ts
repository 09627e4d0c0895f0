import { trailerMagic } from '@holdfast/wire/mcuboot';

/** Where a trailer's fields stand, as distances in bytes from the end of the slot. */
export interface TrailerFields {
  /** Bytes between two fields: the write unit, 8 at least. */
  readonly align: number;
  readonly magicSize: number;
  readonly imageOk: number;
  readonly copyDone: number;
  readonly swapInfo: number;
  readonly swapSize: number;
  /** All of them; the swap status lies below. */
  readonly size: number;
}

/** @see MCUboot docs/design.md, image trailer; boot/bootutil/include/bootutil/bootutil_public.h, BOOT_MAX_ALIGN */
export function trailerFields(writeUnit: number): TrailerFields {
  const align = Math.max(writeUnit, 8);
  const magicSize = Math.max(16, align);
  const field = (index: number): number => magicSize + index * align;
  return {
    align,
    magicSize,
    imageOk: field(1),
    copyDone: field(2),
    swapInfo: field(3),
    swapSize: field(4),
    size: field(4),
  };
}

/** The 16 bytes that end a trailer. Other alignments than those of imgtool follow its rule: u16, then the tail. */
export function magicOf(align: number): Uint8Array {
  if (align === 8 || align === 16 || align === 32) return trailerMagic(align);
  const magic = trailerMagic(16);
  new DataView(magic.buffer).setUint16(0, align, true);
  return magic;
}
