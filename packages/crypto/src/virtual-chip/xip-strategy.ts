import type { ErrorCode } from '@holdfast/kernel';
import type { AcceptedImage, ImageJudge } from './image-judge.ts';
import {
  type BootDecision,
  type BootEvent,
  type BootRun,
  type ChipMemory,
  judgeSlot,
  launch,
  otherSlot,
  type SlotName,
  type Strategy,
  type UpdateTarget,
} from './strategy.ts';
import { Trailers } from './trailer.ts';

interface Candidate {
  readonly slot: SlotName;
  readonly image: AcceptedImage;
}

/**
 * MCUboot that runs images where they stand: of two good ones the later version, and one that had its trial and was not
 * confirmed is erased.
 *
 * @see MCUboot docs/design.md, direct execute-in-place, revert mechanism; boot/bootutil/src/loader.c,
 * boot_select_or_erase
 */
export class XipStrategy implements Strategy {
  readonly #chip: ChipMemory;
  readonly #trailers: Trailers;
  running: SlotName | undefined;

  constructor(chip: ChipMemory) {
    this.#chip = chip;
    this.#trailers = new Trailers(chip.flash, chip.plan);
  }

  run(judge: ImageJudge, onEvent?: (event: BootEvent) => void): BootDecision {
    const run: BootRun = { ...this.#chip, judge, onEvent };
    this.running = undefined;
    let code: ErrorCode = 'boot.bad_magic';
    const noted: BootRun = {
      ...run,
      onEvent: (event) => {
        if (event.kind === 'image-refused') ({ code } = event);
        onEvent?.(event);
      },
    };
    for (const { slot } of this.#candidates(noted)) {
      const decision = this.#start(noted, slot);
      if (decision.kind === 'none') continue;
      this.running = slot;
      return decision;
    }
    return { kind: 'none', code };
  }

  target(): UpdateTarget {
    const slot = this.#chip.plan[this.#target];
    return { slot, address: slot.address };
  }

  withdraw(): void {
    this.#trailers.erase(this.#chip.plan[this.#target]);
  }

  request(type: 'test' | 'permanent'): void {
    this.#trailers.mark(this.#chip.plan[this.#target], type === 'test' ? 'test' : 'confirmed');
  }

  confirm(): void {
    if (this.running !== undefined) this.#trailers.writeImageOk(this.#chip.plan[this.running]);
  }

  install(): void {
    this.#trailers.mark(this.#chip.plan.primary, 'confirmed');
  }

  get #target(): SlotName {
    return otherSlot(this.running ?? 'primary');
  }

  /** The later version first. */
  #candidates(run: BootRun): readonly Candidate[] {
    const names: readonly SlotName[] = ['primary', 'secondary'];
    const found = names.flatMap((slot): readonly Candidate[] => {
      if (!this.#mayRun(run, slot)) return [];
      const image = judgeSlot(run, slot);
      return image.kind === 'accepted' ? [{ slot, image }] : [];
    });
    return found.sort((a, b) => (a.image.rank === b.image.rank ? 0 : a.image.rank < b.image.rank ? 1 : -1));
  }

  /** An image without its mark is a download that never ended; one that had its trial has had it. */
  #mayRun(run: BootRun, slot: SlotName): boolean {
    const { magicGood, copyDone, imageOk } = this.#trailers.read(run.plan[slot]);
    if (!magicGood || !copyDone || imageOk) return magicGood;
    this.#giveUp(run, slot);
    return false;
  }

  #giveUp({ plan, flash, onEvent }: BootRun, slot: SlotName): void {
    this.#trailers.erase(plan[slot]);
    flash.erase(plan[slot].firstSector);
    onEvent?.({ kind: 'given-up', slot });
  }

  #start(run: BootRun, slot: SlotName): BootDecision {
    const { imageOk } = this.#trailers.read(run.plan[slot]);
    if (imageOk) return launch(run, slot, 'confirmed');
    // Before it runs: a trial that never comes back is still the only one.
    if (!this.#trailers.writeCopyDone(run.plan[slot])) {
      this.#giveUp(run, slot);
      return { kind: 'none', code: 'device.flash_refused' };
    }
    run.onEvent?.({ kind: 'trial', slot });
    return launch(run, slot, 'test');
  }
}
