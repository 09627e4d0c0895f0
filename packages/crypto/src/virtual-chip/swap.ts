import { refill } from './copy.ts';
import type { NorFlash } from './flash.ts';
import type { SlotPlan } from './slots.ts';
import { planSwap } from './swap-plan.ts';
import type { SwapSizes, SwapType, Trailers } from './trailer.ts';

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
    const entries = planSwap(this.#plan, swapType, sizes).length;
    this.#run(swapType, sizes, this.#trailers.statusDone(primary, entries));
    return swapType;
  }

  #run(type: SwapType, sizes: SwapSizes, done: number): void {
    const { primary, secondary } = this.#plan;
    // The request has served; while it stood, a cut began the swap anew.
    if (done === 0) this.#trailers.erase(secondary);
    for (const [index, { erase, from, length }] of planSwap(this.#plan, type, sizes).entries()) {
      if (index < done) continue;
      refill(this.#flash, erase, from, length);
      this.#trailers.writeStatus(primary, index);
    }
    if (type !== 'test') this.#trailers.writeImageOk(primary);
    this.#trailers.writeCopyDone(primary);
  }
}
