import { HoldfastError } from '@holdfast/kernel';
import { type Backing, memoryBacking } from './backing.ts';
import { noise, type PowerSupply } from './faults.ts';

/** Fields of the fuse array: offset and length in bytes. */
const FIELDS = {
  bootKeyHash: { at: 0, length: 32 },
  deviceSecret: { at: 32, length: 32 },
  securityCounter: { at: 64, length: 32 },
  debugLock: { at: 96, length: 4 },
  lifeCycle: { at: 100, length: 4 },
} as const;

export type FuseField = keyof typeof FIELDS;

export const FUSE_BYTES = 104;

/** The counter is unary, one bit a step, so that a half-done burn is a smaller raise and never a wrong number. */
export const MAX_SECURITY_COUNTER = FIELDS.securityCounter.length * 8;

const WORD = 4;

/** `open`: still in the factory; `secured`: in the field; `retired`: runs nothing any more. */
export type LifeCycle = 'open' | 'secured' | 'retired';

const LIFE_CYCLES: readonly LifeCycle[] = ['open', 'secured', 'retired'];

/**
 * One-time fuses: bits only set, one word an operation.
 *
 * @throws `device.fuse_refused` for a locked secret or a value outside the field
 * @throws `device.power_cut` as the fault plan says
 */
export class FuseBank {
  readonly #supply: PowerSupply;
  readonly #backing: Backing;
  #secretLocked = false;

  constructor(supply: PowerSupply, backing: Backing = memoryBacking(new Uint8Array(FUSE_BYTES))) {
    this.#supply = supply;
    this.#backing = backing;
  }

  /** @throws `device.fuse_refused` for the device secret after `lockSecret` */
  read(field: FuseField): Uint8Array {
    if (field === 'deviceSecret' && this.#secretLocked) throw new HoldfastError('device.fuse_refused', { field });
    const { at, length } = FIELDS[field];
    return this.#backing.bytes.slice(at, at + length);
  }

  /** Sets the bits of `value`; a word that already holds them costs no operation, so a repeat is harmless. */
  burn(field: FuseField, value: Uint8Array): void {
    const { at, length } = FIELDS[field];
    if (value.length !== length) throw new HoldfastError('device.fuse_refused', { field, size: value.length });
    for (let word = 0; word < length; word += WORD) this.#burnWord(at + word, value.subarray(word, word + WORD));
  }

  /** The secret cannot be read again until the next reset (a read lock, as in every part that has such fuses). */
  lockSecret(): void {
    this.#secretLocked = true;
  }

  /** What a reset clears. */
  reset(): void {
    this.#secretLocked = false;
  }

  get securityCounter(): number {
    return bitsSet(this.#at('securityCounter'));
  }

  /** Raises the counter to `value`, a bit at a time; a lower or equal value does nothing. */
  raiseSecurityCounter(value: number): void {
    if (value > MAX_SECURITY_COUNTER)
      throw new HoldfastError('device.fuse_refused', { field: 'securityCounter', value });
    while (this.securityCounter < value) {
      const bits = this.read('securityCounter');
      const byte = bits.findIndex((each) => each !== 0xff);
      bits[byte] = (bits[byte] ?? 0) | ((bits[byte] ?? 0) + 1);
      this.burn('securityCounter', bits);
    }
  }

  get lifeCycle(): LifeCycle {
    return LIFE_CYCLES[Math.min(bitsSet(this.#at('lifeCycle')), LIFE_CYCLES.length - 1)] ?? 'retired';
  }

  advanceLifeCycle(to: LifeCycle): void {
    this.burn('lifeCycle', Uint8Array.of((1 << LIFE_CYCLES.indexOf(to)) - 1, 0, 0, 0));
  }

  get debugLocked(): boolean {
    return bitsSet(this.#at('debugLock')) > 0;
  }

  lockDebug(): void {
    this.burn('debugLock', Uint8Array.of(1, 0, 0, 0));
  }

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

  #at(field: FuseField): Uint8Array {
    const { at, length } = FIELDS[field];
    return this.#backing.bytes.subarray(at, at + length);
  }

  #burnWord(at: number, value: Uint8Array): void {
    const memory = this.#backing.bytes;
    if (value.every((bits, i) => ((memory[at + i] ?? 0) & bits) === bits)) return;
    const effect = this.#supply.begin();
    for (let i = 0; i < WORD; i++) {
      const reached = effect.partial === undefined ? 0xff : noise(effect.partial, i);
      memory[at + i] = (memory[at + i] ?? 0) | ((value[i] ?? 0) & reached);
    }
    this.#backing.save(at, WORD);
    this.#supply.end(effect);
  }
}

function bitsSet(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}
