import { HoldfastError } from '@holdfast/kernel';
import { createDigest } from '../primitives/hash.ts';
import type { NorFlash } from './flash.ts';
import type { SlotPlan } from './slots.ts';
import { padTo } from './swap.ts';
import { Trailers } from './trailer.ts';

const READ_CHUNK = 65_536;

/** What an application may do with the slot it does not run from, and the one word it has on its own image. */
export class UpdateSlot {
  readonly #flash: NorFlash;
  readonly #plan: SlotPlan;
  readonly #trailers: Trailers;

  constructor(flash: NorFlash, plan: SlotPlan) {
    this.#flash = flash;
    this.#plan = plan;
    this.#trailers = new Trailers(flash, plan);
  }

  /** Largest image, in bytes. */
  get capacity(): number {
    return this.#plan.capacity;
  }

  /**
   * Erases the slot for an image of `size` bytes; a request that stood there is gone first.
   *
   * @throws `device.image_too_large`
   */
  prepare(size: number): void {
    const { secondary, capacity, board } = this.#plan;
    if (size > capacity) throw new HoldfastError('device.image_too_large', { size, capacity });
    this.#trailers.erase(secondary);
    const sectors = Math.ceil(size / board.geometry.sectorSize);
    for (let i = 0; i < sectors; i++) this.#flash.erase(secondary.firstSector + i);
  }

  /** Erases the sector that holds `offset`. @returns its range, in bytes from the start of the slot */
  eraseAround(offset: number): { readonly from: number; readonly to: number } {
    const { sectorSize } = this.#plan.board.geometry;
    const sector = Math.floor(offset / sectorSize);
    if (offset < 0 || offset >= this.capacity)
      throw new HoldfastError('device.image_too_large', { capacity: this.capacity });
    this.#flash.erase(this.#plan.secondary.firstSector + sector);
    return { from: sector * sectorSize, to: (sector + 1) * sectorSize };
  }

  /** @param offset - a multiple of the write unit, each block once */
  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.capacity)
      throw new HoldfastError('device.image_too_large', { capacity: this.capacity });
    const padded = padTo(bytes, this.#plan.board.geometry.writeUnit);
    this.#flash.write(this.#plan.secondary.address + offset, padded);
  }

  read(offset: number, length: number): Uint8Array {
    return this.#flash.read(this.#plan.secondary.address + offset, length);
  }

  /** SHA-256 of what the flash really holds. */
  digest(size: number): Uint8Array {
    const hash = createDigest('sha256');
    for (let at = 0; at < size; at += READ_CHUNK) hash.update(this.read(at, Math.min(READ_CHUNK, size - at)));
    return hash.finish();
  }

  /** The next reset boots the image in the slot on trial. */
  requestTest(): void {
    this.#trailers.request(this.#plan.secondary, 'test');
  }

  /** Keeps the running image; the boot stages raise the counter at the next reset. */
  confirm(): void {
    this.#trailers.writeImageOk(this.#plan.primary);
  }
}
