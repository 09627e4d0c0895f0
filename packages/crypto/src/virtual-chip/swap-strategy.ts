import {
  type BootDecision,
  type BootEvent,
  type BootRun,
  type ChipMemory,
  type ImageState,
  judgeSlot,
  launch,
  type SlotName,
  type Strategy,
  type UpdateTarget,
} from './strategy.ts';
import type { AcceptedImage, ImageJudge } from './image-judge.ts';
import { Swap } from './swap.ts';
import { type SwapType, Trailers } from './trailer.ts';

/**
 * MCUboot with two slots that change places: swaps as the trailers ask, reverts what was not confirmed.
 *
 * @see MCUboot docs/design.md, swap types and the order of image_ok, copy_done and magic
 */
export class SwapStrategy implements Strategy {
  running: SlotName | undefined = 'primary';
  readonly #chip: ChipMemory;
  readonly #trailers: Trailers;
  readonly #swap: Swap;

  constructor(chip: ChipMemory) {
    this.#chip = chip;
    this.#trailers = new Trailers(chip.flash, chip.plan);
    this.#swap = new Swap(chip.flash, chip.plan, this.#trailers);
  }

  run(judge: ImageJudge, onEvent?: (event: BootEvent) => void): BootDecision {
    const run: BootRun = { ...this.#chip, judge, onEvent };
    const resumed = this.#resume(run);
    const swapped = this.#followRequest(run) || resumed;
    if (!swapped && this.#state() === 'test') this.#swapBack(run);
    const first = launch(run, 'primary', this.#state());
    // The other slot holds the only other copy; it has to pass every check itself.
    if (first.kind === 'image' || !this.#swapBack(run)) return first;
    return launch(run, 'primary', this.#state());
  }

  target(): UpdateTarget {
    const { secondary, landing } = this.#chip.plan;
    return { slot: secondary, address: secondary.address + landing };
  }

  withdraw(): void {
    this.#trailers.erase(this.#chip.plan.secondary);
  }

  request(type: 'test' | 'permanent'): void {
    this.#trailers.request(this.#chip.plan.secondary, type);
  }

  confirm(): void {
    this.#trailers.writeImageOk(this.#chip.plan.primary);
  }

  /** Without a trailer an image in the primary slot is kept. */
  install(): void {}

  #resume({ onEvent }: BootRun): boolean {
    const type = this.#swap.resume();
    if (type !== undefined) onEvent?.({ kind: 'swap', type, resumed: true });
    return type !== undefined;
  }

  /** Swaps when the secondary slot asks for it and holds a good image; erases it when it does not. */
  #followRequest(run: BootRun): boolean {
    const { secondary, landing } = run.plan;
    const { magicGood, swapType, imageOk } = this.#trailers.read(secondary);
    if (!magicGood) return false;
    // A file padded by imgtool has the magic but no swap_info.
    const type = swapType ?? (imageOk ? 'permanent' : 'test');
    const offset = type === 'revert' ? 0 : landing;
    const verdict = judgeSlot(run, 'secondary', offset);
    if (verdict.kind === 'refused') {
      this.#trailers.erase(secondary);
      run.flash.erase(run.plan.map.at(secondary.address + offset));
      return false;
    }
    this.#start(run, type, verdict);
    return true;
  }

  /**
   * Puts the image of the secondary slot back, if it is good. The request is written first: while the primary trailer
   * is erased, a cut must not make the unconfirmed image look kept.
   */
  #swapBack(run: BootRun): boolean {
    const verdict = judgeSlot(run, 'secondary');
    if (verdict.kind === 'refused') return false;
    this.#trailers.request(run.plan.secondary, 'revert');
    this.#start(run, 'revert', verdict);
    return true;
  }

  #start(run: BootRun, type: SwapType, theirs: AcceptedImage): void {
    const ours = judgeSlot(run, 'primary');
    run.onEvent?.({ kind: 'swap', type, resumed: false });
    this.#swap.start(type, { primary: ours.kind === 'accepted' ? ours.size : 0, secondary: theirs.size });
  }

  #state(): ImageState {
    const { magicGood, swapType, imageOk } = this.#trailers.read(this.#chip.plan.primary);
    return magicGood && swapType === 'test' && !imageOk ? 'test' : 'confirmed';
  }
}
