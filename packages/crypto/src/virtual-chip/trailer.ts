import { ByteReader, ByteWriter, equalBytes } from '@holdfast/kernel';
import { trailerLayout, trailerMagic } from '@holdfast/wire/mcuboot';
import { ERASED, type NorFlash } from './flash.ts';
import type { Slot, SlotPlan } from './slots.ts';

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

const FIELDS = trailerLayout(8);
const OK = 0x01;

/** Reads and writes the trailers of one device, each field once between two erases. */
export class Trailers {
  readonly #flash: NorFlash;
  readonly #plan: SlotPlan;

  constructor(flash: NorFlash, plan: SlotPlan) {
    this.#flash = flash;
    this.#plan = plan;
  }

  read(slot: Slot): Trailer {
    const { fieldsSize } = this.#plan;
    const bytes = this.#flash.read(slot.end - fieldsSize, fieldsSize);
    const reader = new ByteReader(bytes);
    const primary = reader.u32le('primary size');
    const secondary = reader.u32le('secondary size');
    const at = (fromEnd: number): number => bytes[fieldsSize - fromEnd] ?? ERASED;
    const info = at(FIELDS.swapInfo);
    return {
      magicGood: equalBytes(bytes.subarray(fieldsSize - FIELDS.magicSize), trailerMagic(8)),
      imageOk: at(FIELDS.imageOk) === OK,
      copyDone: this.#anyWritten(slot.end - FIELDS.copyDone, FIELDS.align),
      swapType: (Object.keys(SWAP_TYPE) as SwapType[]).find((type) => SWAP_TYPE[type] === info),
      sizes: { primary, secondary },
    };
  }

  /** Also when it looks erased: after an interrupted erase it may only look so. */
  erase(slot: Slot): void {
    for (let sector = slot.firstTrailerSector; sector < slot.firstSector + slot.sectors; sector++)
      this.#flash.erase(sector);
  }

  /** Asks for the image in the slot to be booted; the magic is last, so that a cut request is none. */
  request(slot: Slot, type: SwapType): void {
    this.erase(slot);
    this.#field(slot, FIELDS.swapInfo, SWAP_TYPE[type]);
    if (type !== 'test') this.#field(slot, FIELDS.imageOk, OK);
    this.#magic(slot);
  }

  /** Opens the record of a swap in the primary trailer; it counts once its magic is whole. */
  open(slot: Slot, type: SwapType, sizes: SwapSizes): void {
    this.erase(slot);
    this.#flash.write(
      slot.end - this.#plan.fieldsSize,
      new ByteWriter().u32le(sizes.primary).u32le(sizes.secondary).finish(),
    );
    this.#field(slot, FIELDS.swapInfo, SWAP_TYPE[type]);
    this.#magic(slot);
  }

  writeCopyDone(slot: Slot): void {
    this.#field(slot, FIELDS.copyDone, OK);
  }

  /** Confirms the running image. A second call, or one after a cut write, does nothing. */
  writeImageOk(slot: Slot): void {
    if (!this.#anyWritten(slot.end - FIELDS.imageOk, FIELDS.align)) this.#field(slot, FIELDS.imageOk, OK);
  }

  /** How many steps of the swap are done: entries are written in order, and a cut one was being written. */
  statusDone(slot: Slot, entries: number): number {
    const { writeUnit } = this.#flash.geometry;
    const bytes = this.#flash.read(this.#statusAt(slot, entries - 1), entries * writeUnit);
    let done = 0;
    while (done < entries) {
      const end = (entries - done) * writeUnit;
      if (bytes.subarray(end - writeUnit, end).every((byte) => byte === ERASED)) break;
      done++;
    }
    return done;
  }

  writeStatus(slot: Slot, entry: number): void {
    const { writeUnit } = this.#flash.geometry;
    this.#flash.write(this.#statusAt(slot, entry), new Uint8Array(writeUnit));
  }

  /** Entries grow down from the fields. */
  #statusAt(slot: Slot, entry: number): number {
    return slot.end - this.#plan.fieldsSize - (entry + 1) * this.#flash.geometry.writeUnit;
  }

  #magic(slot: Slot): void {
    this.#flash.write(slot.end - FIELDS.magicSize, trailerMagic(8));
  }

  #field(slot: Slot, fromEnd: number, value: number): void {
    const bytes = new Uint8Array(FIELDS.align).fill(ERASED);
    bytes[0] = value;
    this.#flash.write(slot.end - fromEnd, bytes);
  }

  #anyWritten(address: number, length: number): boolean {
    return this.#flash.read(address, length).some((byte) => byte !== ERASED);
  }
}
