import { ERASED, type NorFlash } from './flash.ts';
import type { SlotPlan } from './slots.ts';
import { planSwap, type SwapStep } from './swap-plan.ts';
import type { SwapSizes, SwapType, Trailers } from './trailer.ts';

const MIN_CHUNK = 256;
const MAX_CHUNK = 4096;

/** Exchanges the slots so that a cut at any operation is made good by `resume`. */
export class Swap {
  readonly #flash: NorFlash;
  readonly #plan: SlotPlan;
  readonly #trailers: Trailers;

  constructor(flash: NorFlash, plan: SlotPlan, trailers: Trailers) {
    this.#flash = flash;
    this.#plan = plan;
    this.#trailers = trailers;
  }

  /** Begins a swap: from here on only the primary trailer says what is to be done. */
  start(type: SwapType, sizes: SwapSizes): void {
    this.#trailers.open(this.#plan.primary, type, sizes);
    this.#run(type, sizes, 0);
  }

  /**
   * Carries a swap on that a cut interrupted.
   *
   * @returns its type, or undefined when there is none
   */
  resume(): SwapType | undefined {
    const { magicGood, copyDone, swapType, sizes } = this.#trailers.read(this.#plan.primary);
    if (!magicGood || copyDone || swapType === undefined) return undefined;
    const { capacity, primary } = this.#plan;
    if (sizes.primary > capacity || sizes.secondary > capacity) {
      // Rot, not a cut: sizes are written before the magic. What verifies will be booted.
      this.#trailers.erase(primary);
      return undefined;
    }
    this.#run(swapType, sizes, this.#trailers.statusDone(primary, planSwap(this.#plan, sizes).length));
    return swapType;
  }

  #run(type: SwapType, sizes: SwapSizes, done: number): void {
    const { primary, secondary } = this.#plan;
    const steps = planSwap(this.#plan, sizes);
    // The request has served; while it stood, a cut began the swap anew.
    if (done === 0) this.#trailers.erase(secondary);
    for (const [index, step] of steps.entries()) {
      if (index < done) continue;
      this.#perform(step);
      this.#trailers.writeStatus(primary, index);
    }
    if (type !== 'test') this.#trailers.writeImageOk(primary);
    this.#trailers.writeCopyDone(primary);
  }

  #perform({ eraseSector, from, length }: SwapStep): void {
    const { sectorSize, writeUnit } = this.#flash.geometry;
    this.#flash.erase(eraseSector);
    const chunk = Math.min(Math.max(sectorSize / 2, MIN_CHUNK), MAX_CHUNK);
    for (let at = 0; at < length; at += chunk) {
      const part = this.#flash.read(from + at, Math.min(chunk, length - at));
      this.#flash.write(eraseSector * sectorSize + at, padTo(part, writeUnit));
    }
  }
}

/** The bytes, filled up with erased ones to whole units. */
export function padTo(bytes: Uint8Array, unit: number): Uint8Array {
  if (bytes.length % unit === 0) return bytes;
  const padded = new Uint8Array(Math.ceil(bytes.length / unit) * unit).fill(ERASED);
  padded.set(bytes);
  return padded;
}
