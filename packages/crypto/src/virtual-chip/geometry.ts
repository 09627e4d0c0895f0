/** Equal erase sectors in a row. */
export interface SectorRun {
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
}

/** A flash part and what its cells allow. */
export interface FlashGeometry {
  /** Erase sectors from the lowest address on. */
  readonly sectors: readonly SectorRun[];
  /** Bytes programmed at once. */
  readonly writeUnit: number;
  /** What an erased byte reads as. */
  readonly erased: 0x00 | 0xff;
  /** Times a unit may be programmed between two erases; 1 wherever it has an error correcting code. */
  readonly programs: number;
  /** Erases a sector is good for. */
  readonly endurance: number;
}

/** Sectors in a row. */
export interface Region {
  readonly firstSector: number;
  readonly sectors: number;
}

/** Where the sectors of a part stand; sizes and addresses in bytes. */
export class SectorMap {
  readonly #starts: number[] = [0];

  constructor(runs: readonly SectorRun[]) {
    let at = 0;
    for (const { count, size } of runs) for (let i = 0; i < count; i++) this.#starts.push((at += size));
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  /** Bytes of the part. */
  get size(): number {
    return this.start(this.count);
  }

  /** Address of a sector; of the end of the part for one beyond the last. */
  start(sector: number): number {
    return this.#starts[sector] ?? Number.NaN;
  }

  sizeOf(sector: number): number {
    return this.start(sector + 1) - this.start(sector);
  }

  /** The sector that holds the address. */
  at(address: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.start(middle) <= address) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  bytesOf({ firstSector, sectors }: Region): number {
    return this.start(firstSector + sectors) - this.start(firstSector);
  }

  isUniform({ firstSector, sectors }: Region): boolean {
    for (let i = 1; i < sectors; i++) {
      if (this.sizeOf(firstSector + i) !== this.sizeOf(firstSector)) return false;
    }
    return true;
  }
}
