import { encodeHex, equalBytes, HoldfastError } from '@holdfast/kernel';
import type { DeviceStore } from '../store/device-store.ts';
import { JsonRecord } from '../store/json-record.ts';
import { BlockMap } from './block-map.ts';

/** The slot an update goes to, as the platform offers it. */
export interface Slot {
  /** Largest image, in bytes. */
  readonly capacity: number;
  prepare(size: number): void;
  /** Erases what holds the bytes from `offset`, and tells which range that is. */
  eraseAround(offset: number): { readonly from: number; readonly to: number };
  write(offset: number, bytes: Uint8Array): void;
  read(offset: number, length: number): Uint8Array;
  digest(size: number): Uint8Array;
}

interface Progress {
  readonly imageSha256: string;
  readonly size: number;
  readonly blockSize: number;
  readonly blocks: string;
}

const SAVE_EVERY = 16;

/** Writes blocks into the slot in any order, each read back, and remembers over a restart which are there. */
export class SlotWriter {
  readonly blocks: BlockMap;
  readonly #slot: Slot;
  readonly #record: JsonRecord<Progress>;
  readonly #imageSha256: string;
  #unsaved = 0;

  /**
   * Goes on where the same image was left, or prepares the slot for it.
   *
   * @throws `device.image_too_large`
   */
  constructor(
    slot: Slot,
    store: DeviceStore,
    image: { readonly sha256: Uint8Array; readonly size: number },
    blockSize: number,
  ) {
    this.#slot = slot;
    this.#record = new JsonRecord(store, 'download.json');
    this.#imageSha256 = encodeHex(image.sha256);
    const saved = this.#record.load();
    const goesOn =
      saved?.imageSha256 === this.#imageSha256 && saved.size === image.size && saved.blockSize === blockSize;
    this.blocks = goesOn ? BlockMap.restore(image.size, blockSize, saved.blocks) : new BlockMap(image.size, blockSize);
    if (goesOn) this.#dropUncertain();
    else this.#begin();
  }

  /** @throws `device.download_failed` for a block of another length, `device.flash_failed` when it does not read back */
  put(block: number, bytes: Uint8Array): void {
    if (block >= this.blocks.count || bytes.length !== this.blocks.lengthOf(block)) {
      throw new HoldfastError('device.download_failed', { block, size: bytes.length });
    }
    if (this.blocks.has(block)) return;
    const offset = block * this.blocks.blockSize;
    this.#slot.write(offset, bytes);
    if (!equalBytes(this.#slot.read(offset, bytes.length), bytes)) {
      throw new HoldfastError('device.flash_failed', { offset });
    }
    this.blocks.mark(block);
    this.#unsaved++;
    if (this.#unsaved >= SAVE_EVERY || this.blocks.isComplete) this.save();
  }

  save(): void {
    const { size, blockSize } = this.blocks;
    this.#record.save({ imageSha256: this.#imageSha256, size, blockSize, blocks: this.blocks.save() });
    this.#unsaved = 0;
  }

  /** SHA-256 of what the flash holds, read anew. */
  digest(): Uint8Array {
    return this.#slot.digest(this.blocks.size);
  }

  /** Forgets the progress: the image is complete and used, or worth nothing. */
  forget(): void {
    this.#record.clear();
  }

  #begin(): void {
    // Nothing may be believed of the slot while it is being erased.
    this.forget();
    this.#slot.prepare(this.blocks.size);
    this.save();
  }

  /** Blocks not known to be there may be half written; what shares a sector with one is fetched again. */
  #dropUncertain(): void {
    const { count, blockSize, size } = this.blocks;
    let erasedTo = 0;
    for (let block = 0; block < count; block++) {
      if (this.blocks.has(block)) continue;
      const end = Math.min((block + 1) * blockSize, size);
      for (let at = Math.max(block * blockSize, erasedTo); at < end; at = erasedTo) erasedTo = this.#eraseSector(at);
    }
    this.save();
  }

  /** @returns where the next sector begins */
  #eraseSector(at: number): number {
    const { count, blockSize } = this.blocks;
    const { from, to } = this.#slot.eraseAround(at);
    for (let other = Math.floor(from / blockSize); other * blockSize < to && other < count; other++) {
      this.blocks.unmark(other);
    }
    return to;
  }
}
