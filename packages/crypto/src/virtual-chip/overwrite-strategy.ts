import { refill } from './copy.ts';
import { isErased } from './flash.ts';
import type { AcceptedImage, ImageJudge } from './image-judge.ts';
import {
  type BootDecision,
  type BootEvent,
  type BootRun,
  type ChipMemory,
  judgeSlot,
  launch,
  type SlotName,
  type Strategy,
  type UpdateTarget,
} from './strategy.ts';
import { Trailers } from './trailer.ts';

/**
 * MCUboot that copies the new image over the old one: nothing to go back to, so nothing is on trial.
 *
 * @see MCUboot docs/design.md, overwrite only; boot/bootutil/src/loader.c, boot_copy_image
 */
export class OverwriteStrategy implements Strategy {
  running: SlotName | undefined = 'primary';
  readonly #chip: ChipMemory;
  readonly #trailers: Trailers;

  constructor(chip: ChipMemory) {
    this.#chip = chip;
    this.#trailers = new Trailers(chip.flash, chip.plan);
  }

  run(judge: ImageJudge, onEvent?: (event: BootEvent) => void): BootDecision {
    const run: BootRun = { ...this.#chip, judge, onEvent };
    if (this.#trailers.read(run.plan.secondary).magicGood) this.#follow(run);
    return launch(run, 'primary', 'confirmed');
  }

  target(): UpdateTarget {
    const { secondary } = this.#chip.plan;
    return { slot: secondary, address: secondary.address };
  }

  withdraw(): void {
    this.#trailers.erase(this.#chip.plan.secondary);
  }

  request(): void {
    this.#trailers.mark(this.#chip.plan.secondary, 'test');
  }

  /** The image was kept as it was copied. */
  confirm(): void {}

  install(): void {}

  /** The request stands until the copy is whole, so that a cut begins the copy anew. */
  #follow(run: BootRun): void {
    const verdict = judgeSlot(run, 'secondary');
    if (verdict.kind === 'accepted') this.#copy(run, verdict);
    this.#trailers.erase(run.plan.secondary);
    run.flash.erase(run.plan.secondary.firstSector);
  }

  #copy({ flash, plan, onEvent }: BootRun, { size, version }: AcceptedImage): void {
    const { primary, secondary, map } = plan;
    for (let sector = primary.firstSector; sector < primary.firstTrailerSector; sector++) {
      const offset = map.start(sector) - primary.address;
      const length = Math.min(Math.max(size - offset, 0), map.sizeOf(sector));
      const isBlank = length === 0 && isErased(flash.read(map.start(sector), map.sizeOf(sector)), flash.geometry);
      // Nothing of the old image stays behind the new one.
      if (!isBlank) refill(flash, { firstSector: sector, sectors: 1 }, secondary.address + offset, length);
    }
    onEvent?.({ kind: 'overwrite', version });
  }
}
