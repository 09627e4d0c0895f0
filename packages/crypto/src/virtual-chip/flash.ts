import { HoldfastError } from '@holdfast/kernel';
import { type Backing, memoryBacking } from './backing.ts';
import { noise, type PowerSupply } from './faults.ts';
import type { FlashGeometry } from './geometry.ts';

export const ERASED = 0xff;

/** Bytes of state a part needs: its content, one flag per write unit, one erase count per sector. */
function flashStateSize({ sectorSize, sectorCount, writeUnit }: FlashGeometry): number {
  return sectorSize * sectorCount + (sectorSize * sectorCount) / writeUnit + 4 * sectorCount;
}

export function erasedFlashState(geometry: FlashGeometry): Uint8Array {
  const state = new Uint8Array(flashStateSize(geometry));
  return state.fill(ERASED, 0, geometry.sectorSize * geometry.sectorCount);
}

/**
 * NOR flash: a sector is erased as a whole, a unit is programmed once between two erases, bits only clear.
 *
 * @throws `device.flash_refused` for a second write, a wrong boundary or an address outside
 * @throws `device.flash_failed` for a stuck sector
 * @throws `device.power_cut` as the fault plan says
 */
export class NorFlash {
  readonly geometry: FlashGeometry;
  readonly #supply: PowerSupply;
  readonly #backing: Backing;
  readonly #size: number;
  readonly #wear: DataView;

  constructor(
    geometry: FlashGeometry,
    supply: PowerSupply,
    backing: Backing = memoryBacking(erasedFlashState(geometry)),
  ) {
    this.geometry = geometry;
    this.#supply = supply;
    this.#backing = backing;
    this.#size = geometry.sectorSize * geometry.sectorCount;
    const { bytes } = backing;
    this.#wear = new DataView(bytes.buffer, bytes.byteOffset + this.#wearAt, 4 * geometry.sectorCount);
  }

  get size(): number {
    return this.#size;
  }

  /** A copy: what was read stays as it was read. */
  read(address: number, length: number): Uint8Array {
    this.#range(address, length);
    this.#supply.countRead();
    const bytes = this.#backing.bytes.slice(address, address + length);
    for (const { address: at, bytes: other } of this.#supply.replacementsAfterRead())
      this.#backing.bytes.set(other, at);
    return bytes;
  }

  /** @param bytes - a whole number of write units, to units not programmed since their sector's erase */
  write(address: number, bytes: Uint8Array): void {
    const { writeUnit } = this.geometry;
    this.#range(address, bytes.length);
    if (address % writeUnit !== 0 || bytes.length % writeUnit !== 0) throw refused(address, 'boundary');
    this.#requireBlank(address, bytes.length);
    this.#rot();
    const effect = this.#supply.begin();
    this.#requireWorking(address, bytes.length);
    this.#program(address, bytes, effect.partial, effect.cut);
    this.#supply.end(effect);
  }

  /** @param sector - index of the sector, not an address */
  erase(sector: number): void {
    const { sectorSize } = this.geometry;
    this.#range(sector * sectorSize, sectorSize);
    this.#rot();
    const effect = this.#supply.begin();
    this.#requireWorking(sector * sectorSize, 1);
    if (effect.partial === undefined) this.#blank(sector);
    else this.#blankInPart(sector, effect.partial);
    this.#wear.setUint32(4 * sector, this.eraseCount(sector) + 1, true);
    this.#backing.save(this.#wearAt + 4 * sector, 4);
    this.#supply.end(effect);
  }

  eraseCount(sector: number): number {
    return this.#wear.getUint32(4 * sector, true);
  }

  /** The highest erase count of any sector. */
  maxEraseCount(): number {
    let max = 0;
    for (let sector = 0; sector < this.geometry.sectorCount; sector++) max = Math.max(max, this.eraseCount(sector));
    return max;
  }

  /** The whole state, for a test that goes back to it. */
  snapshot(): Uint8Array {
    return this.#backing.bytes.slice();
  }

  restoreSnapshot(state: Uint8Array): void {
    this.#backing.bytes.set(state);
    this.#backing.save(0, state.length);
  }

  close(): void {
    this.#backing.close();
  }

  get #wearAt(): number {
    return this.#size + this.#size / this.geometry.writeUnit;
  }

  #flagAt(address: number): number {
    return this.#size + Math.floor(address / this.geometry.writeUnit);
  }

  #program(address: number, bytes: Uint8Array, partial: number | undefined, cut: boolean): void {
    const { writeUnit } = this.geometry;
    const memory = this.#backing.bytes;
    const units = bytes.length / writeUnit;
    // A cut ends somewhere in the write; a torn word without a cut is the last one.
    const tornUnit = partial === undefined ? units : cut ? noise(partial, 0) % units : units - 1;
    const written = Math.min(tornUnit + 1, units) * writeUnit;
    for (let i = 0; i < written; i++) {
      const torn = Math.floor(i / writeUnit) === tornUnit ? noise(partial ?? 0, i + 1) : 0;
      memory[address + i] = (memory[address + i] ?? 0) & ((bytes[i] ?? 0) | torn);
    }
    for (let at = address; at < address + written; at += writeUnit) {
      // A torn unit in which no bit had changed yet was not programmed.
      const torn = (at - address) / writeUnit === tornUnit;
      const touched = !torn || memory.subarray(at, at + writeUnit).some((byte) => byte !== ERASED);
      if (touched) memory[this.#flagAt(at)] = 1;
    }
    this.#save(address, written);
  }

  #blank(sector: number): void {
    const { sectorSize } = this.geometry;
    const at = sector * sectorSize;
    this.#backing.bytes.fill(ERASED, at, at + sectorSize);
    this.#backing.bytes.fill(0, this.#flagAt(at), this.#flagAt(at + sectorSize));
    this.#save(at, sectorSize);
  }

  /** An interrupted erase leaves the front, the back, or scattered bits blank; its units still count as programmed. */
  #blankInPart(sector: number, seed: number): void {
    const { sectorSize } = this.geometry;
    const at = sector * sectorSize;
    const memory = this.#backing.bytes;
    const edge = at + Math.floor((sectorSize * noise(seed, 1)) / 256);
    if (seed % 3 === 0) memory.fill(ERASED, at, edge);
    else if (seed % 3 === 1) memory.fill(ERASED, edge, at + sectorSize);
    else for (let i = at; i < at + sectorSize; i++) memory[i] = (memory[i] ?? 0) | noise(seed, i);
    memory.fill(1, this.#flagAt(at), this.#flagAt(at + sectorSize));
    this.#save(at, sectorSize);
  }

  #save(at: number, length: number): void {
    this.#backing.save(at, length);
    this.#backing.save(this.#flagAt(at), length / this.geometry.writeUnit);
  }

  #rot(): void {
    for (const { address, bit } of this.#supply.rotBeforeNext()) {
      this.#backing.bytes[address] = (this.#backing.bytes[address] ?? 0) ^ (1 << bit);
      this.#backing.save(address, 1);
    }
  }

  #requireBlank(address: number, length: number): void {
    const end = this.#flagAt(address + length);
    for (let flag = this.#flagAt(address); flag < end; flag++) {
      if (this.#backing.bytes[flag] !== 0) throw refused(address, 'second write');
    }
  }

  #requireWorking(address: number, length: number): void {
    const { sectorSize } = this.geometry;
    for (let sector = Math.floor(address / sectorSize); sector * sectorSize < address + length; sector++) {
      if (this.#supply.isStuck(sector)) throw new HoldfastError('device.flash_failed', { sector });
    }
  }

  #range(address: number, length: number): void {
    if (address < 0 || length < 0 || address + length > this.#size) throw refused(address, 'range');
  }
}

function refused(address: number, reason: string): HoldfastError {
  return new HoldfastError('device.flash_refused', { address, reason });
}
