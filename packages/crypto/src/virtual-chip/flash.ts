import { HoldfastError } from '@holdfast/kernel';
import { type Backing, memoryBacking } from './backing.ts';
import { type Effect, noise, type PowerSupply } from './faults.ts';
import { type FlashGeometry, SectorMap } from './geometry.ts';

/** An erased cell, as the model stores it whatever the part shows. */
const BLANK = 0xff;

/** A unit's flag: how often it was programmed since its erase, or that its cells read one way now, another then. */
const UNSTEADY = 0x80;

/** A part fresh from its maker: content, one flag a write unit, one erase count a sector. */
export function erasedFlashState({ sectors, writeUnit }: FlashGeometry): Uint8Array {
  const { size, count } = new SectorMap(sectors);
  return new Uint8Array(size + size / writeUnit + 4 * count).fill(BLANK, 0, size);
}

/**
 * NOR flash: a sector is erased as a whole, a unit is programmed as often as its cells allow, bits only leave the
 * erased state.
 *
 * @throws `device.flash_refused` for a write too many, a wrong boundary, a locked range or an address outside
 * @throws `device.flash_failed` for a stuck sector
 * @throws `device.power_cut` as the fault plan says
 */
export class NorFlash {
  readonly geometry: FlashGeometry;
  readonly map: SectorMap;
  readonly #supply: PowerSupply;
  readonly #backing: Backing;
  readonly #wear: DataView;
  /** Turns what the part shows into what the model stores. */
  readonly #flip: number;
  #locks: { readonly from: number; readonly to: number }[] = [];

  constructor(
    geometry: FlashGeometry,
    supply: PowerSupply,
    backing: Backing = memoryBacking(erasedFlashState(geometry)),
  ) {
    this.geometry = geometry;
    this.map = new SectorMap(geometry.sectors);
    this.#supply = supply;
    this.#backing = backing;
    this.#flip = geometry.erased === BLANK ? 0 : BLANK;
    const { bytes } = backing;
    this.#wear = new DataView(bytes.buffer, bytes.byteOffset + this.#wearAt, 4 * this.map.count);
  }

  get size(): number {
    return this.map.size;
  }

  /** A copy: what was read stays as it was read. */
  read(address: number, length: number): Uint8Array {
    this.#range(address, length);
    this.#supply.countRead();
    const bytes = this.#backing.bytes.slice(address, address + length);
    this.#shake(address, bytes);
    if (this.#flip !== 0) for (let i = 0; i < length; i++) bytes[i] = (bytes[i] ?? 0) ^ this.#flip;
    for (const { address: at, bytes: other } of this.#supply.replacementsAfterRead()) this.#replace(at, other);
    return bytes;
  }

  /** @param bytes - a whole number of write units */
  write(address: number, bytes: Uint8Array): void {
    const { writeUnit } = this.geometry;
    this.#range(address, bytes.length);
    if (address % writeUnit !== 0 || bytes.length % writeUnit !== 0) throw refused(address, 'boundary');
    this.#requireUnlocked(address, bytes.length);
    this.#requireProgrammable(address, bytes.length);
    this.#rot();
    const effect = this.#supply.begin();
    this.#requireWorking(this.map.at(address), this.map.at(address + bytes.length - 1));
    this.#program(address, bytes, effect);
    this.#supply.end(effect);
  }

  /** @param sector - index of the sector, not an address */
  erase(sector: number): void {
    if (!(sector >= 0 && sector < this.map.count)) throw refused(sector, 'range');
    this.#requireUnlocked(this.map.start(sector), this.map.sizeOf(sector));
    this.#rot();
    const effect = this.#supply.begin();
    this.#requireWorking(sector, sector);
    // A torn word is a matter of writes.
    if (effect.partial === undefined || !effect.cut) this.#blank(sector);
    else this.#blankInPart(sector, effect.partial, effect.unsteady === true);
    this.#wear.setUint32(4 * sector, this.eraseCount(sector) + 1, true);
    this.#backing.save(this.#wearAt + 4 * sector, 4);
    this.#supply.end(effect);
  }

  /** Until the next reset nothing changes these bytes, a probe on the bus included. */
  lock(address: number, length: number): void {
    this.#locks.push({ from: address, to: address + length });
  }

  /** What a reset clears. */
  reset(): void {
    this.#locks = [];
  }

  eraseCount(sector: number): number {
    return this.#wear.getUint32(4 * sector, true);
  }

  /** The highest erase count of any sector. */
  maxEraseCount(): number {
    let max = 0;
    for (let sector = 0; sector < this.map.count; sector++) max = Math.max(max, this.eraseCount(sector));
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
    return this.size + this.size / this.geometry.writeUnit;
  }

  #flagAt(address: number): number {
    return this.size + Math.floor(address / this.geometry.writeUnit);
  }

  #program(address: number, bytes: Uint8Array, { partial, cut }: Effect): void {
    const { writeUnit } = this.geometry;
    const memory = this.#backing.bytes;
    const units = bytes.length / writeUnit;
    // A cut ends somewhere in the write; a torn word without a cut is the last one.
    const tornUnit = partial === undefined ? units : cut ? noise(partial, 0) % units : units - 1;
    const written = Math.min(tornUnit + 1, units) * writeUnit;
    for (let i = 0; i < written; i++) {
      const torn = Math.floor(i / writeUnit) === tornUnit ? noise(partial ?? 0, i + 1) : 0;
      memory[address + i] = (memory[address + i] ?? 0) & (((bytes[i] ?? 0) ^ this.#flip) | torn);
    }
    for (let at = address; at < address + written; at += writeUnit) {
      // A torn unit in which no bit had changed yet was not programmed.
      const torn = (at - address) / writeUnit === tornUnit;
      const touched = !torn || memory.subarray(at, at + writeUnit).some((byte) => byte !== BLANK);
      if (touched) memory[this.#flagAt(at)] = (memory[this.#flagAt(at)] ?? 0) + 1;
    }
    this.#save(address, written);
  }

  #blank(sector: number): void {
    const [from, to] = [this.map.start(sector), this.map.start(sector + 1)];
    this.#backing.bytes.fill(BLANK, from, to);
    this.#backing.bytes.fill(0, this.#flagAt(from), this.#flagAt(to));
    this.#save(from, to - from);
  }

  /** An interrupted erase leaves the front, the back, or scattered bits blank; its units take nothing until the next. */
  #blankInPart(sector: number, seed: number, unsteady: boolean): void {
    const [from, to] = [this.map.start(sector), this.map.start(sector + 1)];
    const memory = this.#backing.bytes;
    const edge = from + Math.floor(((to - from) * noise(seed, 1)) / 256);
    if (seed % 3 === 0) memory.fill(BLANK, from, edge);
    else if (seed % 3 === 1) memory.fill(BLANK, edge, to);
    else for (let i = from; i < to; i++) memory[i] = (memory[i] ?? 0) | noise(seed, i);
    const { programs } = this.geometry;
    memory.fill(unsteady ? UNSTEADY | (seed & 0x7f) : programs, this.#flagAt(from), this.#flagAt(to));
    this.#save(from, to - from);
  }

  /** Cells between their states: each read finds some of the programmed ones blank. */
  #shake(address: number, bytes: Uint8Array): void {
    const { writeUnit } = this.geometry;
    const memory = this.#backing.bytes;
    const end = this.#flagAt(address + bytes.length - 1);
    for (let flag = this.#flagAt(address); flag <= end; flag++) {
      const state = memory[flag] ?? 0;
      if (state < UNSTEADY) continue;
      const unit = (flag - this.size) * writeUnit - address;
      for (let i = Math.max(unit, 0); i < Math.min(unit + writeUnit, bytes.length); i++)
        bytes[i] = (bytes[i] ?? 0) | noise(state + this.#supply.reads, i);
    }
  }

  #replace(address: number, other: Uint8Array): void {
    for (const [i, byte] of other.entries()) {
      if (!this.#isLocked(address + i, 1)) this.#backing.bytes[address + i] = byte ^ this.#flip;
    }
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

  #requireProgrammable(address: number, length: number): void {
    const end = this.#flagAt(address + length);
    for (let flag = this.#flagAt(address); flag < end; flag++) {
      if ((this.#backing.bytes[flag] ?? 0) >= this.geometry.programs) throw refused(address, 'second write');
    }
  }

  #requireWorking(first: number, last: number): void {
    for (let sector = first; sector <= last; sector++) {
      if (this.#supply.isStuck(sector)) throw new HoldfastError('device.flash_failed', { sector });
    }
  }

  #isLocked(address: number, length: number): boolean {
    return this.#locks.some(({ from, to }) => address < to && address + length > from);
  }

  #requireUnlocked(address: number, length: number): void {
    if (this.#isLocked(address, length)) throw refused(address, 'locked');
  }

  #range(address: number, length: number): void {
    if (!(address >= 0 && length >= 0 && address + length <= this.size)) throw refused(address, 'range');
  }
}

function refused(address: number, reason: string): HoldfastError {
  return new HoldfastError('device.flash_refused', { address, reason });
}

/** The bytes, filled up with erased ones to whole units. */
export function padTo(bytes: Uint8Array, { writeUnit, erased }: FlashGeometry): Uint8Array {
  if (bytes.length % writeUnit === 0) return bytes;
  const padded = new Uint8Array(Math.ceil(bytes.length / writeUnit) * writeUnit).fill(erased);
  padded.set(bytes);
  return padded;
}

export function isErased(bytes: Uint8Array, { erased }: FlashGeometry): boolean {
  return bytes.every((byte) => byte === erased);
}
