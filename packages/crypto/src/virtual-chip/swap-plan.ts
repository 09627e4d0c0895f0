import type { Region } from './geometry.ts';
import type { SlotPlan, SwapUnit } from './slots.ts';
import type { SwapSizes, SwapType } from './trailer.ts';

/** One step: the sectors are erased, then filled from the source. Doing it again after a cut changes nothing. */
export interface SwapStep {
  readonly erase: Region;
  readonly from: number;
  /** Bytes copied; 0 leaves the sectors erased, so nothing unsigned follows an image into a slot. */
  readonly length: number;
}

/**
 * The steps that exchange the images of the two slots.
 *
 * Each step reads only what no earlier unfinished step has erased. Only the bytes of an image are copied,
 * never the rest of its slot (MCUboot issue 1894).
 *
 * @see MCUboot boot/bootutil/src/swap_move.c, swap_offset.c and swap_scratch.c for the orders
 */
export function planSwap(plan: SlotPlan, type: SwapType, sizes: SwapSizes): readonly SwapStep[] {
  const longest = Math.max(sizes.primary, sizes.secondary);
  const units = plan.units.filter(({ offset }) => offset < longest);
  const swap: Swap = { plan, units, sizes };
  if (plan.board.strategy === 'swap-move') return moveSteps(swap);
  if (plan.board.strategy === 'swap-scratch') return scratchSteps(swap);
  return type === 'revert' ? offsetBackSteps(swap) : offsetSteps(swap);
}

interface Swap {
  readonly plan: SlotPlan;
  readonly units: readonly SwapUnit[];
  readonly sizes: SwapSizes;
}

/** How much of an image stands in a unit. */
function part(size: number, { offset, length }: SwapUnit): number {
  return Math.min(Math.max(size - offset, 0), length);
}

function after(region: Region): Region {
  return { firstSector: region.firstSector + region.sectors, sectors: region.sectors };
}

/** The primary image moves up by one sector, then sector by sector the images change places. */
function moveSteps({ plan, units, sizes }: Swap): readonly SwapStep[] {
  const at = ({ firstSector }: Region): number => plan.map.start(firstSector);
  const steps: SwapStep[] = [];
  for (const unit of units.toReversed())
    steps.push({ erase: after(unit.primary), from: at(unit.primary), length: part(sizes.primary, unit) });
  for (const unit of units) {
    steps.push(
      { erase: unit.primary, from: at(unit.secondary), length: part(sizes.secondary, unit) },
      { erase: unit.secondary, from: at(after(unit.primary)), length: part(sizes.primary, unit) },
    );
  }
  // The last moved sector still stands behind the new image.
  return [...steps, ...units.slice(-1).map((unit) => ({ erase: after(unit.primary), from: 0, length: 0 }))];
}

/** The image that waits one sector further on leaves room for the other to come down before it. */
function offsetSteps({ plan, units, sizes }: Swap): readonly SwapStep[] {
  const at = ({ firstSector }: Region): number => plan.map.start(firstSector);
  const steps = units.flatMap((unit) => [
    { erase: unit.secondary, from: at(unit.primary), length: part(sizes.primary, unit) },
    { erase: unit.primary, from: at(after(unit.secondary)), length: part(sizes.secondary, unit) },
  ]);
  return [...steps, ...units.slice(-1).map((unit) => ({ erase: after(unit.secondary), from: 0, length: 0 }))];
}

/** The other way round, from the end: the image in the secondary slot stands at its very start. */
function offsetBackSteps({ plan, units, sizes }: Swap): readonly SwapStep[] {
  const at = ({ firstSector }: Region): number => plan.map.start(firstSector);
  const steps = units.toReversed().flatMap((unit) => [
    { erase: after(unit.secondary), from: at(unit.primary), length: part(sizes.primary, unit) },
    { erase: unit.primary, from: at(unit.secondary), length: part(sizes.secondary, unit) },
  ]);
  return [...steps, ...units.slice(0, 1).map((unit) => ({ erase: unit.secondary, from: 0, length: 0 }))];
}

/** Each pair of units changes places through the scratch area. */
function scratchSteps({ plan, units, sizes }: Swap): readonly SwapStep[] {
  const at = ({ firstSector }: Region): number => plan.map.start(firstSector);
  const scratch = plan.board.scratch ?? { firstSector: 0, sectors: 0 };
  return units.flatMap((unit) => [
    { erase: scratch, from: at(unit.secondary), length: part(sizes.secondary, unit) },
    { erase: unit.secondary, from: at(unit.primary), length: part(sizes.primary, unit) },
    { erase: unit.primary, from: at(scratch), length: part(sizes.secondary, unit) },
  ]);
}
