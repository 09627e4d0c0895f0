/** A flash part: bytes per erase sector, bytes programmed at once, number of sectors. */
export interface FlashGeometry {
  readonly sectorSize: number;
  readonly writeUnit: number;
  readonly sectorCount: number;
}

/** How a bootloader exchanges the two slots (MCUboot docs/design.md). */
type SwapStrategy = 'move' | 'scratch';

/** A run of sectors. */
export interface Region {
  readonly firstSector: number;
  readonly sectors: number;
}

/** A chip with its flash divided up. */
export interface BoardLayout {
  readonly name: string;
  readonly geometry: FlashGeometry;
  readonly strategy: SwapStrategy;
  /** First sector: the key the first stage checks against its fuses; then the bootloader image. */
  readonly boot: Region;
  readonly primary: Region;
  readonly secondary: Region;
  /** One sector, for the strategy that needs it. */
  readonly scratch?: Region;
}

/**
 * Boards a virtual device can be. Sector and unit sizes are the vendors'; the regions hold images of 600 KB.
 *
 * nrf52840: page 4096, word 4, secondary slot in external QSPI NOR (nRF52840 PS 4.3).
 * stm32l4: page 2048, double word 8 (RM0351 3.3). stm32f4: sector 128 KiB, word 4 (RM0430 3.4).
 * tiny: no chip, the smallest layout on which every power cut is tried.
 */
export const BOARDS = {
  nrf52840: {
    name: 'nrf52840',
    geometry: { sectorSize: 4096, writeUnit: 4, sectorCount: 512 },
    strategy: 'move',
    boot: { firstSector: 0, sectors: 16 },
    primary: { firstSector: 16, sectors: 200 },
    secondary: { firstSector: 216, sectors: 200 },
  },
  stm32l4: {
    name: 'stm32l4',
    geometry: { sectorSize: 2048, writeUnit: 8, sectorCount: 1024 },
    strategy: 'move',
    boot: { firstSector: 0, sectors: 32 },
    primary: { firstSector: 32, sectors: 400 },
    secondary: { firstSector: 432, sectors: 400 },
  },
  stm32f4: {
    name: 'stm32f4',
    geometry: { sectorSize: 131_072, writeUnit: 4, sectorCount: 16 },
    strategy: 'scratch',
    boot: { firstSector: 0, sectors: 1 },
    primary: { firstSector: 1, sectors: 6 },
    secondary: { firstSector: 7, sectors: 6 },
    scratch: { firstSector: 13, sectors: 1 },
  },
  'tiny-move': {
    name: 'tiny-move',
    geometry: { sectorSize: 512, writeUnit: 4, sectorCount: 16 },
    strategy: 'move',
    boot: { firstSector: 0, sectors: 4 },
    primary: { firstSector: 4, sectors: 5 },
    secondary: { firstSector: 9, sectors: 5 },
  },
  'tiny-scratch': {
    name: 'tiny-scratch',
    geometry: { sectorSize: 512, writeUnit: 8, sectorCount: 16 },
    strategy: 'scratch',
    boot: { firstSector: 0, sectors: 4 },
    primary: { firstSector: 4, sectors: 4 },
    secondary: { firstSector: 8, sectors: 4 },
    scratch: { firstSector: 12, sectors: 1 },
  },
} as const satisfies Record<string, BoardLayout>;

export type BoardName = keyof typeof BOARDS;
