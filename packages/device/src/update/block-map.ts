import { decodeBase64, encodeBase64, HoldfastError } from '@holdfast/kernel';

/** Which blocks of a file are here; least significant bit of byte 0 is block 0, as AWS streams have it. */
export class BlockMap {
  readonly size: number;
  readonly blockSize: number;
  readonly #bits: Uint8Array;
  #left: number;

  /** @param size - of the file, in bytes */
  constructor(size: number, blockSize: number) {
    this.size = size;
    this.blockSize = blockSize;
    this.#bits = new Uint8Array(Math.ceil(this.count / 8));
    this.#left = this.count;
  }

  /** @throws `device.folder_damaged` when the saved map is of another file */
  static restore(size: number, blockSize: number, saved: string): BlockMap {
    const map = new BlockMap(size, blockSize);
    const bits = decodeBase64(saved);
    if (bits.length !== map.#bits.length) throw new HoldfastError('device.folder_damaged', { field: 'blocks' });
    for (let block = 0; block < map.count; block++) if (((bits[block >> 3] ?? 0) >> (block & 7)) & 1) map.mark(block);
    return map;
  }

  save(): string {
    return encodeBase64(this.#bits);
  }

  get count(): number {
    return Math.ceil(this.size / this.blockSize);
  }

  get isComplete(): boolean {
    return this.#left === 0;
  }

  /** Bytes that are here. */
  get received(): number {
    return Math.min(this.size, (this.count - this.#left) * this.blockSize);
  }

  has(block: number): boolean {
    return (((this.#bits[block >> 3] ?? 0) >> (block & 7)) & 1) === 1;
  }

  /** Bytes of one block; the last may be short. */
  lengthOf(block: number): number {
    return Math.min(this.blockSize, this.size - block * this.blockSize);
  }

  mark(block: number): void {
    if (block >= this.count || this.has(block)) return;
    this.#bits[block >> 3] = (this.#bits[block >> 3] ?? 0) | (1 << (block & 7));
    this.#left--;
  }

  unmark(block: number): void {
    if (!this.has(block)) return;
    this.#bits[block >> 3] = (this.#bits[block >> 3] ?? 0) & ~(1 << (block & 7));
    this.#left++;
  }

  /** The first missing block and, from it on, a bitmap of at most `limit` blocks that are missing. */
  missing(limit: number): { readonly first: number; readonly span: number; readonly bitmap: Uint8Array } | undefined {
    let first = 0;
    while (first < this.count && this.has(first)) first++;
    if (first === this.count) return undefined;
    const span = Math.min(limit, this.count - first);
    const bitmap = new Uint8Array(Math.ceil(span / 8));
    for (let i = 0; i < span; i++) if (!this.has(first + i)) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7));
    return { first, span, bitmap };
  }
}
