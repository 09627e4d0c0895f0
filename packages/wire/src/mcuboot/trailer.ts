import { equalBytes, HoldfastError } from '@holdfast/kernel';

/** Bytes the boot code writes at once; the trailer's fields are spaced by the larger of this and 8. */
export type TrailerAlign = 8 | 16 | 32;
export type ErasedValue = 0x00 | 0xff;

/** The trailer at the end of a slot, as a signer writes it. */
export interface McubootTrailer {
  readonly align: TrailerAlign;
  /** `image_ok` is set: the boot code keeps this image without a test boot. */
  readonly confirmed: boolean;
  readonly erasedValue: ErasedValue;
}

/** Where the trailer's fields stand, as distances from the end of the slot in bytes. */
export interface TrailerLayout {
  readonly align: TrailerAlign;
  readonly magicSize: number;
  readonly imageOk: number;
  readonly copyDone: number;
  readonly swapInfo: number;
}

const MAGIC_LENGTH = 16;
const MAGIC_ALIGN_8 = Uint8Array.of(
  0x77,
  0xc2,
  0x95,
  0xf3,
  0x60,
  0xd2,
  0xef,
  0x7f,
  0x35,
  0x52,
  0x50,
  0x0f,
  0x2c,
  0xb6,
  0x79,
  0x80,
);
const MAGIC_TAIL = Uint8Array.of(0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a);
const ALIGNS: readonly TrailerAlign[] = [8, 16, 32];
const IMAGE_OK = 0x01;

/** The 16 bytes that end a trailer; for 16 and 32 they begin with the alignment. */
export function trailerMagic(align: TrailerAlign): Uint8Array<ArrayBuffer> {
  if (align === 8) return MAGIC_ALIGN_8.slice();
  const magic = new Uint8Array(MAGIC_LENGTH);
  magic[0] = align;
  magic.set(MAGIC_TAIL, 2);
  return magic;
}

/** @see MCUboot docs/design.md, image trailer */
export function trailerLayout(align: TrailerAlign): TrailerLayout {
  const magicSize = Math.max(MAGIC_LENGTH, align);
  return {
    align,
    magicSize,
    imageOk: magicSize + align,
    copyDone: magicSize + 2 * align,
    swapInfo: magicSize + 3 * align,
  };
}

/** What decides how much room a trailer takes; sizes in bytes. */
export interface TrailerRoom {
  readonly align: TrailerAlign;
  /** Smallest write of the flash: 1, 2, 4, 8, 16 or 32. */
  readonly writeSize: number;
  readonly maxSectors?: number;
  readonly overwriteOnly?: boolean;
  readonly encrypted?: boolean;
  /** Length of the encryption TLV when the boot code saves it instead of the key. */
  readonly savedEncryptionTlv?: number;
}

const DEFAULT_MAX_SECTORS = 128;

/** Bytes a trailer needs at the end of the slot (imgtool image.py, boot/bootutil/src/bootutil_misc.c). */
export function trailerSize(room: TrailerRoom): number {
  const { align, writeSize, maxSectors = DEFAULT_MAX_SECTORS } = room;
  const { magicSize } = trailerLayout(align);
  if (room.overwriteOnly === true) return 2 * align + magicSize;
  const key = Math.ceil((room.savedEncryptionTlv ?? MAGIC_LENGTH) / align) * align;
  return maxSectors * 3 * writeSize + (room.encrypted === true ? 2 * key : 0) + 4 * align + magicSize;
}

/**
 * Fills an image up to its slot and writes the trailer's magic.
 *
 * @throws `boot.image_too_large` when image and trailer do not fit.
 */
export function padToSlot(
  image: Uint8Array,
  slotSize: number,
  room: TrailerRoom,
  { confirmed = false, erasedValue = 0xff }: { confirmed?: boolean; erasedValue?: ErasedValue } = {},
): Uint8Array<ArrayBuffer> {
  checkFits(image.length, slotSize, room);
  const slot = new Uint8Array(slotSize).fill(erasedValue);
  slot.set(image);
  slot.set(trailerMagic(room.align), slotSize - MAGIC_LENGTH);
  if (confirmed && room.overwriteOnly !== true) slot[slotSize - trailerLayout(room.align).imageOk] = IMAGE_OK;
  return slot;
}

/** @throws `boot.image_too_large` when an image of `size` bytes and its trailer exceed the slot. */
export function checkFits(size: number, slotSize: number, room: TrailerRoom): void {
  const trailer = trailerSize(room);
  if (size + trailer > slotSize) {
    throw new HoldfastError('boot.image_too_large', { image: size, trailer, slot: slotSize });
  }
}

/**
 * Decodes what follows an image in its slot: erased bytes, then the trailer as a signer writes it.
 *
 * @throws `boot.trailing_bytes` for anything else; a boot code copies these bytes though no signature covers them.
 */
export function decodeTrailer(tail: Uint8Array): McubootTrailer {
  const align = ALIGNS.find((candidate) => equalBytes(tail.subarray(-MAGIC_LENGTH), trailerMagic(candidate)));
  const erasedValue = tail[0];
  if (align === undefined || (erasedValue !== 0x00 && erasedValue !== 0xff)) {
    throw new HoldfastError('boot.trailing_bytes', { size: tail.length });
  }
  const { imageOk, copyDone } = trailerLayout(align);
  const okAt = tail.length - imageOk;
  if (tail.length < copyDone) {
    throw new HoldfastError('boot.trailing_bytes', { size: tail.length, needed: copyDone });
  }
  const confirmed = tail[okAt] === IMAGE_OK;
  for (let at = 0; at < tail.length - MAGIC_LENGTH; at++) {
    if (tail[at] !== erasedValue && !(confirmed && at === okAt)) {
      throw new HoldfastError('boot.trailing_bytes', { size: tail.length, at });
    }
  }
  return { align, confirmed, erasedValue };
}
