import { HoldfastError } from '@holdfast/kernel';
import { createDigest } from '../primitives/hash.ts';
import { padTo } from './flash.ts';
import type { ChipMemory, Strategy } from './strategy.ts';

const READ_CHUNK = 65_536;

/** What an application may do with the slot it does not run from, and the one word it has on its own image. */
export class UpdateSlot {
  readonly #chip: ChipMemory;
  readonly #strategy: Strategy;

  constructor(chip: ChipMemory, strategy: Strategy) {
    this.#chip = chip;
    this.#strategy = strategy;
  }

  /** Largest image, in bytes. */
  get capacity(): number {
    return this.#chip.plan.capacity;
  }

  /**
   * Erases the slot for an image of `size` bytes; a request that stood there is gone first.
   *
   * @throws `device.image_too_large`
   */
  prepare(size: number): void {
    const { flash, plan } = this.#chip;
    if (size > plan.capacity) throw new HoldfastError('device.image_too_large', { size, capacity: plan.capacity });
    this.#strategy.withdraw();
    const { slot, address } = this.#strategy.target();
    const last = size === 0 ? slot.firstSector - 1 : plan.map.at(address + size - 1);
    // From the start of the slot: what boot code would find there before the image has to go, too.
    for (let sector = slot.firstSector; sector <= last; sector++) flash.erase(sector);
  }

  /** Erases the sector that holds `offset`. @returns its range, in bytes from the start of the image */
  eraseAround(offset: number): { readonly from: number; readonly to: number } {
    const { flash, plan } = this.#chip;
    if (offset < 0 || offset >= this.capacity)
      throw new HoldfastError('device.image_too_large', { capacity: this.capacity });
    const { address } = this.#strategy.target();
    const sector = plan.map.at(address + offset);
    flash.erase(sector);
    return { from: plan.map.start(sector) - address, to: plan.map.start(sector + 1) - address };
  }

  /** @param offset - a multiple of the write unit, each block once */
  write(offset: number, bytes: Uint8Array): void {
    const { flash } = this.#chip;
    if (offset + bytes.length > this.capacity)
      throw new HoldfastError('device.image_too_large', { capacity: this.capacity });
    flash.write(this.#strategy.target().address + offset, padTo(bytes, flash.geometry));
  }

  read(offset: number, length: number): Uint8Array {
    return this.#chip.flash.read(this.#strategy.target().address + offset, length);
  }

  /** SHA-256 of what the flash really holds. */
  digest(size: number): Uint8Array {
    const hash = createDigest('sha256');
    for (let at = 0; at < size; at += READ_CHUNK) hash.update(this.read(at, Math.min(READ_CHUNK, size - at)));
    return hash.finish();
  }

  /** The next reset boots the image in the slot on trial. */
  requestTest(): void {
    this.#strategy.request('test');
  }

  /** The next reset boots the image in the slot and keeps it. */
  requestPermanent(): void {
    this.#strategy.request('permanent');
  }

  /** Keeps the running image; the boot stages raise the counter at the next reset. */
  confirm(): void {
    this.#strategy.confirm();
  }
}
