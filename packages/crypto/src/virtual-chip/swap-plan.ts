import type { SlotPlan } from './slots.ts';
import type { SwapSizes } from './trailer.ts';

/** One step: the sector is erased, then filled from the source. Doing it again after a cut changes nothing. */
export interface SwapStep {
  readonly eraseSector: number;
  readonly from: number;
  /** Bytes copied; 0 leaves the sector erased, so nothing unsigned follows an image into a slot. */
  readonly length: number;
}

/**
 * The steps that exchange the images of the two slots.
 *
 * Each step reads only what no earlier unfinished step has erased. Only the bytes of an image are copied,
 * never the rest of its slot (MCUboot issue 1894).
 *
 * @see MCUboot boot/bootutil/src/swap_move.c and swap_scratch.c for the two orders
 */
export function planSwap(plan: SlotPlan, sizes: SwapSizes): readonly SwapStep[] {
  const { sectorSize } = plan.board.geometry;
  const sectors = Math.ceil(Math.max(sizes.primary, sizes.secondary) / sectorSize);
  const part = (size: number, index: number): number => Math.min(Math.max(size - index * sectorSize, 0), sectorSize);
  return plan.board.strategy === 'move'
    ? moveSteps(plan, sizes, sectors, part)
    : scratchSteps(plan, sizes, sectors, part);
}

type PartOf = (size: number, index: number) => number;

/** The primary image moves up by one sector, then sector by sector the images change places. */
function moveSteps(plan: SlotPlan, sizes: SwapSizes, sectors: number, part: PartOf): readonly SwapStep[] {
  const { sectorSize } = plan.board.geometry;
  const { primary, secondary } = plan;
  const steps: SwapStep[] = [];
  for (let i = sectors - 1; i >= 0; i--) {
    steps.push({
      eraseSector: primary.firstSector + i + 1,
      from: primary.address + i * sectorSize,
      length: part(sizes.primary, i),
    });
  }
  for (let i = 0; i < sectors; i++) {
    steps.push(
      {
        eraseSector: primary.firstSector + i,
        from: secondary.address + i * sectorSize,
        length: part(sizes.secondary, i),
      },
      {
        eraseSector: secondary.firstSector + i,
        from: primary.address + (i + 1) * sectorSize,
        length: part(sizes.primary, i),
      },
    );
  }
  // The last moved sector still stands behind the new image.
  steps.push({ eraseSector: primary.firstSector + sectors, from: primary.address, length: 0 });
  return steps;
}

/** Each pair of sectors changes places through the scratch sector. */
function scratchSteps(plan: SlotPlan, sizes: SwapSizes, sectors: number, part: PartOf): readonly SwapStep[] {
  const { sectorSize } = plan.board.geometry;
  const { primary, secondary } = plan;
  const scratch = plan.board.scratch?.firstSector ?? 0;
  const steps: SwapStep[] = [];
  for (let i = 0; i < sectors; i++) {
    const ours = part(sizes.primary, i);
    const theirs = part(sizes.secondary, i);
    steps.push(
      { eraseSector: scratch, from: secondary.address + i * sectorSize, length: theirs },
      { eraseSector: secondary.firstSector + i, from: primary.address + i * sectorSize, length: ours },
      { eraseSector: primary.firstSector + i, from: scratch * sectorSize, length: theirs },
    );
  }
  return steps;
}
