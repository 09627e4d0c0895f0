import { ByteReader, ByteWriter, equalBytes, HoldfastError } from '@holdfast/kernel';
import { isErased, type NorFlash } from './flash.ts';
import type { Slot, SlotPlan } from './slots.ts';
import { magicOf, type TrailerFields } from './trailer-fields.ts';

/** Kinds of swap, numbered as in MCUboot's swap_info. */
const SWAP_TYPE = { test: 2, permanent: 3, revert: 4 } as const;
export type SwapType = keyof typeof SWAP_TYPE;

/** What the trailer of a slot says. A field whose write was cut is neither its value nor erased. */
export interface Trailer {
  readonly magicGood: boolean;
  /** Exactly 0x01: whoever wrote it finished. */
  readonly imageOk: boolean;
  /** Anything but erased: it is written only after all the rest is done. */
  readonly copyDone: boolean;
  readonly swapType: SwapType | undefined;
  readonly sizes: SwapSizes;
}

/** Bytes of the image that stood in each slot when the swap began; 0 when none did. */
export interface SwapSizes {
  readonly primary: number;
  readonly secondary: number;
}

const OK = 0x01;
/** Set when it is the primary image that is the smaller one. */
const PRIMARY_IS_SMALLER = 0x8000_0000;

/** Reads and writes the trailers of one device, each field once between two erases. */
export class Trailers {
  readonly #flash: NorFlash;
  readonly #plan: SlotPlan;

  constructor(flash: NorFlash, plan: SlotPlan) {
    this.#flash = flash;
    this.#plan = plan;
  }

  read(slot: Slot): Trailer {
    const { fields } = this.#plan;
    const bytes = this.#flash.read(slot.end - fields.size, fields.size);
    const { imageOk, copyDone, swapInfo, align } = fields;
    const field = (fromEnd: number): Uint8Array => bytes.subarray(bytes.length - fromEnd).subarray(0, align);
    const info = field(swapInfo)[0];
    return {
      magicGood: equalBytes(bytes.subarray(-16), magicOf(align)),
      imageOk: field(imageOk)[0] === OK,
      copyDone: !isErased(field(copyDone), this.#flash.geometry),
      swapType: (Object.keys(SWAP_TYPE) as SwapType[]).find((type) => SWAP_TYPE[type] === info),
      sizes: readSizes(field(fields.swapSize)),
    };
  }

  /**
   * Also when it looks erased: after an interrupted erase it may only look so. The sector of the magic goes first, so
   * that a cut never leaves a magic above fields that are half erased.
   */
  erase(slot: Slot): void {
    for (let sector = slot.firstSector + slot.sectors - 1; sector >= slot.firstTrailerSector; sector--)
      this.#flash.erase(sector);
  }

  /** Asks for the image in the slot to be booted; the magic is last, so that a cut request is none. */
  request(slot: Slot, type: SwapType): void {
    this.erase(slot);
    this.#byte(slot, this.#fields.swapInfo, SWAP_TYPE[type]);
    if (type !== 'test') this.#byte(slot, this.#fields.imageOk, OK);
    this.#magic(slot);
  }

  /** Marks an image that runs where it stands: on trial, or kept. */
  mark(slot: Slot, state: 'test' | 'confirmed'): void {
    this.erase(slot);
    if (state === 'confirmed') this.#byte(slot, this.#fields.imageOk, OK);
    this.#magic(slot);
  }

  /** Opens the record of a swap in the primary trailer; it counts once its magic is whole. */
  open(slot: Slot, type: SwapType, sizes: SwapSizes): void {
    this.erase(slot);
    this.#field(slot, this.#fields.swapSize, encodeSizes(sizes));
    this.#byte(slot, this.#fields.swapInfo, SWAP_TYPE[type]);
    this.#magic(slot);
  }

  /** Once: a second call, or one after a cut write, does nothing. @returns whether something stands there after it */
  writeCopyDone(slot: Slot): boolean {
    return this.#once(slot, this.#fields.copyDone);
  }

  /** Confirms the image that runs; once, as above. */
  writeImageOk(slot: Slot): boolean {
    return this.#once(slot, this.#fields.imageOk);
  }

  /** How many steps of the swap are done: entries are written in order, and a cut one was being written. */
  statusDone(slot: Slot, entries: number): number {
    const { geometry } = this.#flash;
    const { writeUnit } = geometry;
    const bytes = this.#flash.read(this.#statusAt(slot, entries - 1), entries * writeUnit);
    let done = 0;
    while (done < entries) {
      const end = (entries - done) * writeUnit;
      if (isErased(bytes.subarray(end - writeUnit, end), geometry)) break;
      done++;
    }
    return done;
  }

  writeStatus(slot: Slot, entry: number): void {
    const { writeUnit, erased } = this.#flash.geometry;
    this.#flash.write(this.#statusAt(slot, entry), new Uint8Array(writeUnit).fill(erased ^ 0xff));
  }

  get #fields(): TrailerFields {
    return this.#plan.fields;
  }

  /** Entries grow down from the fields. */
  #statusAt(slot: Slot, entry: number): number {
    return slot.end - this.#fields.size - (entry + 1) * this.#flash.geometry.writeUnit;
  }

  #magic(slot: Slot): void {
    const { magicSize, align } = this.#fields;
    const padded = new Uint8Array(magicSize).fill(this.#flash.geometry.erased);
    padded.set(magicOf(align), magicSize - 16);
    this.#flash.write(slot.end - magicSize, padded);
  }

  #byte(slot: Slot, fromEnd: number, value: number): void {
    this.#field(slot, fromEnd, Uint8Array.of(value));
  }

  #field(slot: Slot, fromEnd: number, value: Uint8Array): void {
    const bytes = new Uint8Array(this.#fields.align).fill(this.#flash.geometry.erased);
    bytes.set(value);
    this.#flash.write(slot.end - fromEnd, bytes);
  }

  #once(slot: Slot, fromEnd: number): boolean {
    const found = this.#flash.read(slot.end - fromEnd, this.#fields.align);
    if (!isErased(found, this.#flash.geometry)) return true;
    try {
      this.#byte(slot, fromEnd, OK);
      return true;
    } catch (error) {
      // It only looks erased: a cut ended the erase of its sector. What cannot be marked is not.
      if (!HoldfastError.is(error, 'device.flash_refused')) throw error;
      return false;
    }
  }
}

/** MCUboot's swap_size is what has to be copied: the larger image. Its filling says how long the smaller one is. */
function encodeSizes({ primary, secondary }: SwapSizes): Uint8Array {
  const isSmaller = primary < secondary;
  const other = isSmaller ? (primary | PRIMARY_IS_SMALLER) >>> 0 : secondary;
  return new ByteWriter(8).u32le(Math.max(primary, secondary)).u32le(other).finish();
}

function readSizes(field: Uint8Array): SwapSizes {
  const reader = new ByteReader(field);
  const [larger, other] = [reader.u32le('swap size'), reader.u32le('other size')];
  const smaller = other % PRIMARY_IS_SMALLER;
  return other >= PRIMARY_IS_SMALLER
    ? { primary: smaller, secondary: larger }
    : { primary: larger, secondary: smaller };
}
