import { trailerLayout } from '@holdfast/wire/mcuboot';
import type { BoardLayout, Region } from './geometry.ts';

/** A slot's addresses, in bytes from the start of the flash. */
export interface Slot {
  readonly address: number;
  readonly firstSector: number;
  readonly sectors: number;
  /** First address after the slot; the trailer is counted back from here. */
  readonly end: number;
  readonly firstTrailerSector: number;
}

/** What follows from a board's layout for the exchange of its slots. */
export interface SlotPlan {
  readonly board: BoardLayout;
  readonly primary: Slot;
  readonly secondary: Slot;
  /** Sectors an image may fill. */
  readonly imageSectors: number;
  /** Largest image, in bytes. */
  readonly capacity: number;
  /** Bytes between two trailer fields. */
  readonly align: 8;
  /** Bytes from the end of the slot to the first field; the swap status lies below it. */
  readonly fieldsSize: number;
}

const ALIGN = 8;

/** Status entries a swap of `sectors` needs at most. */
function statusEntries(board: BoardLayout, sectors: number): number {
  return 3 * sectors + (board.strategy === 'move' ? 1 : 0);
}

/** Trailers have sectors of their own, so that writing one never costs a byte of an image. */
export function planSlots(board: BoardLayout): SlotPlan {
  const { sectorSize, writeUnit } = board.geometry;
  // Magic, image_ok, copy_done, swap_info as MCUboot has them, then the three sizes of the swap.
  const fieldsSize = trailerLayout(ALIGN).swapInfo + 2 * ALIGN;
  const spare = board.strategy === 'move' ? 1 : 0;
  let trailerSectors = 1;
  const sectorsLeft = (): number => board.primary.sectors - trailerSectors - spare;
  while (fieldsSize + statusEntries(board, sectorsLeft()) * writeUnit > trailerSectors * sectorSize) trailerSectors++;
  const slot = ({ firstSector, sectors }: Region): Slot => ({
    address: firstSector * sectorSize,
    firstSector,
    sectors,
    end: (firstSector + sectors) * sectorSize,
    firstTrailerSector: firstSector + sectors - trailerSectors,
  });
  return {
    board,
    primary: slot(board.primary),
    secondary: slot(board.secondary),
    imageSectors: sectorsLeft(),
    capacity: sectorsLeft() * sectorSize,
    align: ALIGN,
    fieldsSize,
  };
}
