import { HoldfastError } from '@holdfast/kernel';

/**
 * What goes wrong, as data. `operation` counts writes, erases and fuse burns from 1 since the plan was set;
 * `read` counts reads the same way.
 */
export type Fault =
  /** Power ends before, within or after the operation; `seed` picks how far a cut operation got. */
  | {
      readonly kind: 'power-cut';
      readonly operation: number;
      readonly when: 'before' | 'during' | 'after';
      readonly seed?: number;
    }
  /** Power sags until it ends: an erased sector keeps cells that read one way now and another way then. */
  | { readonly kind: 'brown-out'; readonly operation: number; readonly seed?: number }
  /** The last word of the write is programmed only in part, and nobody is told. */
  | { readonly kind: 'torn-word'; readonly operation: number; readonly seed?: number }
  /** The sector can be neither erased nor written. */
  | { readonly kind: 'stuck-sector'; readonly sector: number }
  /** One bit changes before the operation. */
  | { readonly kind: 'bit-rot'; readonly operation: number; readonly address: number; readonly bit: number }
  /** Other content stands in the flash after the read: an attacker with a probe, between check and use. */
  | { readonly kind: 'replace'; readonly read: number; readonly address: number; readonly bytes: Uint8Array };

type BitRot = Extract<Fault, { kind: 'bit-rot' }>;
type Replacement = Extract<Fault, { kind: 'replace' }>;

/** What becomes of one operation. */
export interface Effect {
  /** The operation is carried out only in part, as this seed says. */
  readonly partial?: number;
  /** The cells it leaves are between their two states. */
  readonly unsteady?: boolean;
  /** After it, power is gone. */
  readonly cut: boolean;
}

const WHOLE: Effect = { cut: false };

/** Numbers the operations of one device and says which of them fail; flash and fuses share one. */
export class PowerSupply {
  #faults: readonly Fault[] = [];
  #operations = 0;
  #reads = 0;
  #on = true;

  /** Operations since the plan was set. */
  get operations(): number {
    return this.#operations;
  }

  get reads(): number {
    return this.#reads;
  }

  setPlan(faults: readonly Fault[]): void {
    this.#faults = faults;
    this.#operations = 0;
    this.#reads = 0;
  }

  /** Power is back after a cut. */
  restore(): void {
    this.#on = true;
  }

  /** @throws `device.power_cut` when power is off, or goes before this operation */
  begin(): Effect {
    this.#requirePower();
    const operation = ++this.#operations;
    for (const fault of this.#faults) {
      if (!('operation' in fault) || fault.operation !== operation) continue;
      if (fault.kind === 'torn-word') return { partial: fault.seed ?? 1, cut: false };
      if (fault.kind === 'brown-out') return { partial: fault.seed ?? operation, unsteady: true, cut: true };
      if (fault.kind !== 'power-cut') continue;
      if (fault.when === 'before') this.cut();
      return fault.when === 'during' ? { partial: fault.seed ?? operation, cut: true } : { cut: true };
    }
    return WHOLE;
  }

  /** Ends an operation: @throws `device.power_cut` when power went within or after it */
  end(effect: Effect): void {
    if (effect.cut) this.cut();
  }

  countRead(): void {
    this.#requirePower();
    this.#reads++;
  }

  isStuck(sector: number): boolean {
    return this.#faults.some((fault) => fault.kind === 'stuck-sector' && fault.sector === sector);
  }

  /** Bits that flip before the operation that comes next. */
  rotBeforeNext(): readonly BitRot[] {
    return this.#faults.filter(
      (fault): fault is BitRot => fault.kind === 'bit-rot' && fault.operation === this.#operations + 1,
    );
  }

  replacementsAfterRead(): readonly Replacement[] {
    return this.#faults.filter((fault): fault is Replacement => fault.kind === 'replace' && fault.read === this.#reads);
  }

  /** @throws `device.power_cut` always */
  cut(): never {
    this.#on = false;
    throw new HoldfastError('device.power_cut', { operation: this.#operations });
  }

  #requirePower(): void {
    if (!this.#on) throw new HoldfastError('device.power_cut', { operation: this.#operations });
  }
}

/** A repeatable byte of noise for partial operations (a multiplicative hash; chance is not needed). */
export function noise(seed: number, index: number): number {
  return (Math.imul((seed + 1) * 0x9e37_79b1 + index, 0x85eb_ca6b) >>> 13) & 0xff;
}
