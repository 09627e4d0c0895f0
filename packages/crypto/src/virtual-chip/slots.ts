import type { BoardLayout, StrategyName } from './chips.ts';
import { type Region, SectorMap } from './geometry.ts';
import { trailerFields, type TrailerFields } from './trailer-fields.ts';

/** A slot's addresses, in bytes from the start of the flash. */
export interface Slot {
  readonly address: number;
  readonly firstSector: number;
  readonly sectors: number;
  /** First address after the slot; a trailer is counted back from here. */
  readonly end: number;
  /** The sector after the slot for strategies that keep no trailer. */
  readonly firstTrailerSector: number;
}

/** Sectors of both slots that change places at once; `offset` in bytes from the start of each slot. */
export interface SwapUnit {
  readonly offset: number;
  readonly length: number;
  readonly primary: Region;
  readonly secondary: Region;
}

/** What follows from a board's layout for the exchange of its slots. */
export interface SlotPlan {
  readonly board: BoardLayout;
  readonly map: SectorMap;
  readonly primary: Slot;
  readonly secondary: Slot;
  /** Largest image, in bytes. */
  readonly capacity: number;
  /** From the start of the secondary slot to an image that waits there for a swap. */
  readonly landing: number;
  readonly fields: TrailerFields;
  /** What a swap exchanges, in order; empty for strategies that do not swap. */
  readonly units: readonly SwapUnit[];
}

/** Which strategies keep what MCUboot calls a trailer, and how many status entries a unit and the end of a swap take. */
const TRAILERS: Readonly<Record<StrategyName, { readonly perUnit: number; readonly atEnd: number } | undefined>> = {
  'swap-scratch': { perUnit: 3, atEnd: 0 },
  'swap-move': { perUnit: 3, atEnd: 1 },
  'swap-offset': { perUnit: 2, atEnd: 1 },
  'overwrite-only': { perUnit: 0, atEnd: 0 },
  'direct-xip': { perUnit: 0, atEnd: 0 },
  'esp-ota': undefined,
  'linux-ab': undefined,
};

/** Whether the layout has room for such an image. */
export function slotPlanFits(board: BoardLayout, imageSize: number): boolean {
  return (tryPlan(board)?.capacity ?? 0) >= imageSize;
}

/** Bytes of each slot, trailer included: what a signer's tool is told. */
export function slotBytes(board: BoardLayout): number {
  return new SectorMap(board.geometry.sectors).bytesOf(board.primary);
}

/** @throws RangeError for a layout without room for anything, which is a fault of the table */
export function planSlots(board: BoardLayout): SlotPlan {
  const plan = tryPlan(board);
  if (plan === undefined) throw new RangeError(`no room in ${board.name}`);
  return plan;
}

/** Trailers have sectors of their own, so that writing one never costs a byte of an image. */
function tryPlan(board: BoardLayout): SlotPlan | undefined {
  const { geometry, strategy, primary, secondary } = board;
  const map = new SectorMap(geometry.sectors);
  const fields = trailerFields(geometry.writeUnit);
  const entries = TRAILERS[strategy];
  const most = Math.min(primary.sectors, secondary.sectors);
  for (let trailer = entries === undefined ? 0 : 1; trailer < most; trailer++) {
    const slots = { primary: slotOf(map, primary, trailer), secondary: slotOf(map, secondary, trailer) };
    const units = swapUnits(board, map, slots);
    if (units === undefined) continue;
    const status = (entries?.perUnit ?? 0) * units.length + (entries?.atEnd ?? 0);
    const room = Math.min(trailerRoom(map, slots.primary), trailerRoom(map, slots.secondary));
    if (entries !== undefined && fields.size + status * geometry.writeUnit > room) continue;
    const landing = strategy === 'swap-offset' ? map.sizeOf(secondary.firstSector) : 0;
    return { board, map, ...slots, capacity: capacityOf(map, slots, units), landing, fields, units };
  }
  return undefined;
}

function slotOf(map: SectorMap, { firstSector, sectors }: Region, trailer: number): Slot {
  return {
    address: map.start(firstSector),
    firstSector,
    sectors,
    end: map.start(firstSector + sectors),
    firstTrailerSector: firstSector + sectors - trailer,
  };
}

function trailerRoom(map: SectorMap, { end, firstTrailerSector }: Slot): number {
  return end - map.start(firstTrailerSector);
}

type Slots = Pick<SlotPlan, 'primary' | 'secondary'>;

function capacityOf(map: SectorMap, { primary, secondary }: Slots, units: readonly SwapUnit[]): number {
  if (units.length > 0) return units.reduce((sum, { length }) => sum + length, 0);
  const room = ({ address, firstTrailerSector }: Slot): number => map.start(firstTrailerSector) - address;
  return Math.min(room(primary), room(secondary));
}

/** @returns undefined when the slots do not leave one unit beside their trailers */
function swapUnits(board: BoardLayout, map: SectorMap, slots: Slots): readonly SwapUnit[] | undefined {
  if (!board.strategy.startsWith('swap-')) return [];
  const all = board.strategy === 'swap-scratch' ? scratchUnits(board, map, slots) : equalUnits(map, slots);
  // Moving needs one sector more than the images.
  const units = board.strategy === 'swap-scratch' ? all : all.slice(0, -1);
  return units.length === 0 ? undefined : units;
}

/** One sector each; the strategies that move by a sector want them equal (swap_move.c, boot_slots_compatible). */
function equalUnits(map: SectorMap, { primary, secondary }: Slots): readonly SwapUnit[] {
  const sectors = primary.firstTrailerSector - primary.firstSector;
  const region = { firstSector: primary.firstSector, sectors };
  if (!map.isUniform(region) || !map.isUniform({ firstSector: secondary.firstSector, sectors })) return [];
  const length = map.sizeOf(primary.firstSector);
  // With an offset, the spare sector is the extra one of the secondary slot.
  const spare = secondary.sectors > primary.sectors ? 1 : 0;
  return Array.from({ length: sectors + spare }, (_, index) => ({
    offset: index * length,
    length,
    primary: { firstSector: primary.firstSector + index, sectors: 1 },
    secondary: { firstSector: secondary.firstSector + index, sectors: 1 },
  }));
}

/** As many whole sectors as go through the scratch area, ending where sectors of both slots end (swap_scratch.c). */
function scratchUnits({ scratch }: BoardLayout, map: SectorMap, { primary, secondary }: Slots): readonly SwapUnit[] {
  const room = scratch === undefined ? 0 : map.bytesOf(scratch);
  const units: SwapUnit[] = [];
  let [from, to] = [primary.firstSector, secondary.firstSector];
  while (from < primary.firstTrailerSector && to < secondary.firstTrailerSector) {
    const start = { from, to };
    let last: { readonly from: number; readonly to: number; readonly length: number } | undefined;
    for (;;) {
      const [ours, theirs] = [map.start(from) - map.start(start.from), map.start(to) - map.start(start.to)];
      if (ours > room || theirs > room) break;
      if (ours === theirs && ours > 0) last = { from, to, length: ours };
      if (ours <= theirs) from++;
      else to++;
      if (from > primary.firstTrailerSector || to > secondary.firstTrailerSector) break;
    }
    if (last === undefined) break;
    [from, to] = [last.from, last.to];
    units.push({
      offset: map.start(start.from) - primary.address,
      length: last.length,
      primary: { firstSector: start.from, sectors: from - start.from },
      secondary: { firstSector: start.to, sectors: to - start.to },
    });
  }
  return units;
}
