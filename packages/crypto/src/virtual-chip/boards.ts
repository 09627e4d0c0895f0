import { HoldfastError } from '@holdfast/kernel';
import { type BoardLayout, CHIPS, type ChipId, type ChipRow, type StrategyName } from './chips.ts';
import type { Region } from './geometry.ts';
import { slotPlanFits } from './slots.ts';

export interface LayoutOptions {
  /** The chip's usual one unless given. */
  readonly strategy?: StrategyName;
  /** Shrinks the part to the smallest that holds an image of so many bytes: every cut can then be tried. */
  readonly smallest?: number;
}

const SCRATCH = 32_768;

/**
 * Divides a chip's flash up.
 *
 * @throws `boot.bad_option` for a strategy the chip's boot code does not have, or an image that no layout holds
 */
export function layoutBoard(chip: ChipId, { strategy, smallest }: LayoutOptions = {}): BoardLayout {
  const row: ChipRow = CHIPS[chip];
  const chosen = strategy ?? row.strategies[0];
  if (!row.strategies.includes(chosen)) throw new HoldfastError('boot.bad_option', { option: 'strategy' });
  const name = `${chip} ${chosen}`;
  if (smallest === undefined) return divide(name, row, chosen);
  const small = shrunk(row);
  for (let sectors = 2; sectors <= MOST_SECTORS; sectors++) {
    const board = row.slots === undefined ? even(name, small, chosen, sectors) : cropped(name, small, chosen, sectors);
    if (slotPlanFits(board, smallest)) return board;
  }
  throw new HoldfastError('boot.bad_option', { option: 'image size' });
}

const MOST_SECTORS = 64;

function shrunk(row: ChipRow): ChipRow {
  const sectors = row.flash.sectors.map(({ count, size }) => ({ count, size: size / row.shrink }));
  return { ...row, flash: { ...row.flash, sectors }, boot: 1 };
}

/** The whole part at its real size. */
function divide(name: string, row: ChipRow, strategy: StrategyName): BoardLayout {
  if (row.slots !== undefined) return cropped(name, row, strategy, row.slots.primary.sectors);
  const [run] = row.flash.sectors;
  const { count, size } = run ?? { count: 0, size: 1 };
  const usable = strategy === 'direct-xip' ? (row.executable ?? count) : count;
  const extra = Math.ceil(row.boot / size) + besides(strategy, Math.ceil(SCRATCH / size));
  return even(name, row, strategy, Math.floor((usable - extra) / 2), Math.ceil(SCRATCH / size));
}

/** Sectors a strategy needs outside two equal slots. */
function besides(strategy: StrategyName, scratch: number): number {
  if (strategy === 'swap-scratch') return scratch;
  if (strategy === 'swap-offset') return 1;
  return strategy === 'esp-ota' || strategy === 'linux-ab' ? 2 : 0;
}

/** Boot stages, records, two slots of so many sectors, scratch. */
function even(name: string, row: ChipRow, strategy: StrategyName, slot: number, scratch = 1): BoardLayout {
  const { flash, boot, counter, launch } = row;
  const size = flash.sectors[0]?.size ?? 1;
  let next = 0;
  const take = (sectors: number): Region => ({ firstSector: (next += sectors) - sectors, sectors });
  const common = { name, strategy, counter, launch, boot: take(Math.ceil(boot / size)) };
  const hasRecords = strategy === 'esp-ota' || strategy === 'linux-ab';
  const records = hasRecords ? { records: take(2) } : {};
  const primary = take(slot);
  // The image in the second slot begins one sector later.
  const secondary = take(strategy === 'swap-offset' ? slot + 1 : slot);
  const through = strategy === 'swap-scratch' ? { scratch: take(scratch) } : {};
  const geometry = { ...flash, sectors: [{ count: next, size }] };
  return { ...common, geometry, primary, secondary, ...records, ...through };
}

/** The chip's own slots, or their last sectors. */
function cropped(name: string, row: ChipRow, strategy: StrategyName, sectors: number): BoardLayout {
  const { flash: geometry, counter, launch, slots } = row;
  if (slots === undefined) throw new HoldfastError('boot.bad_option', { option: 'slots' });
  const used = Math.min(sectors, slots.primary.sectors);
  const first = ({ firstSector }: Region): Region => ({ firstSector, sectors: used });
  return {
    name,
    geometry,
    strategy,
    counter,
    launch,
    boot: { firstSector: 0, sectors: slots.primary.firstSector },
    primary: first(slots.primary),
    secondary: first(slots.secondary),
    ...(strategy === 'swap-scratch' ? { scratch: slots.scratch } : {}),
  };
}

const TINY = { erased: 0xff, programs: 1, endurance: 10_000 } as const;

/**
 * Boards a virtual device can be: the chips whose boot code takes MCUboot images, and two that are no chip but the
 * smallest that hold all boot stages.
 */
export const BOARDS = {
  nrf52840: layoutBoard('nrf52840'),
  stm32l4: layoutBoard('stm32l4'),
  stm32f4: layoutBoard('stm32f4'),
  lpc55s69: layoutBoard('lpc55s69'),
  psoc64: layoutBoard('psoc64'),
  'tiny-move': {
    name: 'tiny-move',
    geometry: { ...TINY, sectors: [{ count: 16, size: 512 }], writeUnit: 4 },
    strategy: 'swap-move',
    counter: { kind: 'unary', bits: 256 },
    launch: 'lock',
    boot: { firstSector: 0, sectors: 4 },
    primary: { firstSector: 4, sectors: 5 },
    secondary: { firstSector: 9, sectors: 5 },
  },
  'tiny-scratch': {
    name: 'tiny-scratch',
    geometry: { ...TINY, sectors: [{ count: 16, size: 512 }], writeUnit: 8 },
    strategy: 'swap-scratch',
    counter: { kind: 'unary', bits: 256 },
    launch: 'lock',
    boot: { firstSector: 0, sectors: 4 },
    primary: { firstSector: 4, sectors: 4 },
    secondary: { firstSector: 8, sectors: 4 },
    scratch: { firstSector: 12, sectors: 1 },
  },
} as const satisfies Record<string, BoardLayout>;

export type BoardName = keyof typeof BOARDS;
