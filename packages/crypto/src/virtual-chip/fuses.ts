import { HoldfastError } from '@holdfast/kernel';
import { type Backing, memoryBacking } from './backing.ts';
import { bitsSet, type CounterSpec, counterBytes, nextCounterStep, readCounter } from './counter.ts';
import { noise, type PowerSupply } from './faults.ts';

/** Fields of the fuse array: offset and length in bytes. The counter's cells follow them. */
const FIELDS = {
  bootKeyHash: { at: 0, length: 32 },
  deviceSecret: { at: 32, length: 32 },
  debugLock: { at: 64, length: 4 },
  lifeCycle: { at: 68, length: 4 },
} as const;

export type FuseField = keyof typeof FIELDS;

const COUNTER_AT = 72;
const WORD = 4;

export function fuseBytes(counter: CounterSpec): number {
  return COUNTER_AT + counterBytes(counter);
}

/** `open`: still in the factory; `secured`: in the field; `retired`: runs nothing any more. */
export type LifeCycle = 'open' | 'secured' | 'retired';

const LIFE_CYCLES: readonly LifeCycle[] = ['open', 'secured', 'retired'];

/**
 * One-time fuses: bits only set, one word an operation; a counter of pages is rewritten a page an operation.
 *
 * @throws `device.fuse_refused` for a locked secret or a value outside the field
 * @throws `device.power_cut` as the fault plan says
 */
export class FuseBank {
  readonly counter: CounterSpec;
  readonly #supply: PowerSupply;
  readonly #backing: Backing;
  #secretLocked = false;

  constructor(
    supply: PowerSupply,
    counter: CounterSpec,
    backing: Backing = memoryBacking(new Uint8Array(fuseBytes(counter))),
  ) {
    this.#supply = supply;
    this.counter = counter;
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
    return readCounter(this.counter, this.#counterCells);
  }

  /** Whether a raise to this value would succeed, now. */
  canHold(value: number): boolean {
    return value <= this.securityCounter || nextCounterStep(this.counter, this.#counterCells, value) !== undefined;
  }

  /** Raises the counter to `value`, a step at a time; a lower or equal value does nothing. */
  raiseSecurityCounter(value: number): void {
    while (this.securityCounter < value) {
      const step = nextCounterStep(this.counter, this.#counterCells, value);
      if (step === undefined) throw new HoldfastError('device.fuse_refused', { field: 'securityCounter', value });
      if (step.kind === 'burn') this.#burnWord(COUNTER_AT + step.at, step.bytes);
      else this.#writePage(COUNTER_AT + step.at, step.bytes);
    }
  }

  get lifeCycle(): LifeCycle {
    return LIFE_CYCLES[Math.min(bitsSet(this.read('lifeCycle')), LIFE_CYCLES.length - 1)] ?? 'retired';
  }

  advanceLifeCycle(to: LifeCycle): void {
    this.burn('lifeCycle', Uint8Array.of((1 << LIFE_CYCLES.indexOf(to)) - 1, 0, 0, 0));
  }

  get debugLocked(): boolean {
    return bitsSet(this.read('debugLock')) > 0;
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

  get #counterCells(): Uint8Array {
    return this.#backing.bytes.subarray(COUNTER_AT);
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

  /** A cut leaves anything where the page was. */
  #writePage(at: number, value: Uint8Array): void {
    const memory = this.#backing.bytes;
    const effect = this.#supply.begin();
    for (const [i, byte] of value.entries())
      memory[at + i] = effect.partial === undefined ? byte : byte ^ noise(effect.partial, i);
    this.#backing.save(at, value.length);
    this.#supply.end(effect);
  }
}
