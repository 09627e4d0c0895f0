import {
  type BoardLayout,
  type ChipId,
  layoutBoard,
  planSlots,
  type StrategyName,
} from '@holdfast/crypto/virtual-chip';

/** Sectors added until a slot has room for an image and the marks behind it. */
const MOST_EXTRA = 64;

interface Slots {
  readonly chip: ChipId;
  readonly strategy: StrategyName;
}

/**
 * Bytes of the largest image that slots of this size take on the chip, marks of the boot code beside it.
 *
 * @param slotSize - the chip's own when undefined
 */
export function capacityOf({ chip, strategy }: Slots, slotSize: number | undefined): number {
  const board = layoutBoard(chip, { strategy });
  const size = evenSector(board);
  if (slotSize === undefined || size === undefined) return planSlots(board).capacity;
  return capacity(withSlots(board, Math.floor(slotSize / size), size)) ?? 0;
}

/**
 * The chip with slots that are just large enough: what happens to the sectors behind an image costs time and finds
 * nothing.
 *
 * @returns the whole chip when its sectors are uneven
 */
export function fittedBoard({ chip, strategy }: Slots, imageSize: number): BoardLayout {
  const board = layoutBoard(chip, { strategy });
  const size = evenSector(board);
  if (size === undefined) return board;
  const least = Math.ceil(imageSize / size) + 1;
  for (let sectors = least; sectors < least + MOST_EXTRA; sectors++) {
    const small = withSlots(board, sectors, size);
    if ((capacity(small) ?? 0) >= imageSize) return small;
  }
  return board;
}

function evenSector({ geometry }: BoardLayout): number | undefined {
  const [first, ...others] = geometry.sectors;
  return others.length === 0 ? first?.size : undefined;
}

/** @returns undefined when the slots leave no room for an image */
function capacity(board: BoardLayout): number | undefined {
  try {
    return planSlots(board).capacity;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The same board with slots of so many sectors, closed up. */
function withSlots(board: BoardLayout, sectors: number, size: number): BoardLayout {
  let next = board.boot.firstSector + board.boot.sectors;
  const take = (count: number) => ({ firstSector: (next += count) - count, sectors: count });
  const spare = board.secondary.sectors - board.primary.sectors;
  const primary = take(sectors);
  const secondary = take(sectors + spare);
  const records = board.records && take(board.records.sectors);
  const scratch = board.scratch && take(board.scratch.sectors);
  return {
    ...board,
    primary,
    secondary,
    ...(records === undefined ? {} : { records }),
    ...(scratch === undefined ? {} : { scratch }),
    geometry: { ...board.geometry, sectors: [{ count: next, size }] },
  };
}
