import type { CounterSpec } from './counter.ts';
import type { FlashGeometry, Region } from './geometry.ts';

/** How boot code gets from one image to the next. */
export type StrategyName =
  | 'swap-scratch'
  | 'swap-move'
  | 'swap-offset'
  | 'overwrite-only'
  | 'direct-xip'
  | 'esp-ota'
  | 'linux-ab';

/**
 * How the bytes that run are the bytes that were verified. `copy`: they run from a copy in RAM. `lock`: the slot is
 * locked until the next reset before it is read. `recheck`: the slot is read once more before the jump and compared.
 */
export type LaunchRule = 'copy' | 'lock' | 'recheck';

/** What a chip is, as far as booting goes. Sizes in bytes. */
export interface ChipRow {
  readonly words: string;
  readonly flash: FlashGeometry;
  readonly counter: CounterSpec;
  readonly launch: LaunchRule;
  /** Strategies its boot code offers; the first is the usual one. */
  readonly strategies: readonly [StrategyName, ...StrategyName[]];
  /** Room of the stages before the application. */
  readonly boot: number;
  /** Sectors from the first on that code can run from in place; all unless given. */
  readonly executable?: number;
  /** Slots of a part whose sectors are uneven; others are divided in two. */
  readonly slots?: { readonly primary: Region; readonly secondary: Region; readonly scratch: Region };
  /** By how much its sectors may shrink in a small layout without breaking a rule of the part. */
  readonly shrink: number;
}

/** A chip with its flash divided up. */
export interface BoardLayout {
  readonly name: string;
  readonly geometry: FlashGeometry;
  readonly strategy: StrategyName;
  readonly counter: CounterSpec;
  readonly launch: LaunchRule;
  /** The key the first stage checks against its fuses; then the bootloader image. */
  readonly boot: Region;
  readonly primary: Region;
  readonly secondary: Region;
  /** For the strategy that swaps through it. */
  readonly scratch?: Region;
  /** Two sectors that take turns, for strategies that keep their state outside the slots. */
  readonly records?: Region;
}

const UNARY_OTP: CounterSpec = { kind: 'unary', bits: 256 };

/**
 * Chips a virtual device can be.
 *
 * Sources: nRF52840 PS 1.7 sections 4.3 and 6.18 (page 4096, word 4, two writes a word, 10,000 erases; second slot in
 * QSPI NOR of the same page size); sdk-nrf bl_storage (15-bit versions, 240 slots). LPC55S6x UM11126 chapter 5 (page
 * and phrase of 512, ECC: one program an erase, 10,000 erases; a page that cannot be read shows as erased, Zephyr
 * soc_flash_mcux.c). PSoC 6 TRM flash chapter (row 512, erased 0, 100,000 erases). ESP-IDF espefuse tables; SPI NOR
 * (sector 4096, 100,000 erases). STM32F429 RM0090 section 3.4 (two banks of 4 x 16, 64 and 7 x 128 KiB, 10,000
 * erases), OTP of 512. STM32L4 RM0351 section 3.3 (page 2048, double word with ECC).
 */
export const CHIPS = {
  nrf52840: {
    words: 'Nordic nRF52840 with MCUboot, second slot in QSPI flash',
    flash: { sectors: [{ count: 512, size: 4096 }], writeUnit: 4, erased: 0xff, programs: 2, endurance: 10_000 },
    counter: { kind: 'slots', slots: 240, ceiling: 32_767 },
    launch: 'lock',
    strategies: ['swap-move', 'swap-offset', 'swap-scratch', 'overwrite-only', 'direct-xip'],
    boot: 65_536,
    executable: 256,
    shrink: 8,
  },
  lpc55s69: {
    words: 'NXP LPC55S69 with MCUboot, upgrade only: its flash is too coarse to swap',
    flash: { sectors: [{ count: 1260, size: 512 }], writeUnit: 512, erased: 0xff, programs: 1, endurance: 10_000 },
    counter: { kind: 'pages', ceiling: 0xffff_ffff },
    launch: 'lock',
    strategies: ['overwrite-only', 'direct-xip'],
    boot: 32_768,
    shrink: 1,
  },
  psoc64: {
    words: 'Infineon PSoC 64 with its MCUboot; rows of 512 bytes that erase to zero',
    flash: { sectors: [{ count: 4096, size: 512 }], writeUnit: 512, erased: 0x00, programs: 1, endurance: 100_000 },
    counter: { kind: 'pages', ceiling: 0xffff_ffff },
    launch: 'lock',
    strategies: ['overwrite-only', 'swap-scratch'],
    boot: 65_536,
    shrink: 1,
  },
  esp32: {
    words: 'Espressif ESP32 with the ESP-IDF bootloader, 4 MiB',
    flash: { sectors: [{ count: 1024, size: 4096 }], writeUnit: 4, erased: 0xff, programs: 64, endurance: 100_000 },
    counter: { kind: 'unary', bits: 32 },
    launch: 'recheck',
    strategies: ['esp-ota'],
    boot: 0x1_0000,
    shrink: 1,
  },
  'esp32-c3': {
    words: 'Espressif ESP32-C3 with the ESP-IDF bootloader, 4 MiB',
    flash: { sectors: [{ count: 1024, size: 4096 }], writeUnit: 4, erased: 0xff, programs: 64, endurance: 100_000 },
    counter: { kind: 'unary', bits: 16 },
    launch: 'recheck',
    strategies: ['esp-ota'],
    boot: 0x1_0000,
    shrink: 1,
  },
  stm32f4: {
    words: 'ST STM32F429 with MCUboot; sectors of 16, 64 and 128 KiB in two banks',
    flash: {
      sectors: [
        { count: 4, size: 16_384 },
        { count: 1, size: 65_536 },
        { count: 7, size: 131_072 },
        { count: 4, size: 16_384 },
        { count: 1, size: 65_536 },
        { count: 7, size: 131_072 },
      ],
      writeUnit: 4,
      erased: 0xff,
      programs: 64,
      endurance: 10_000,
    },
    counter: UNARY_OTP,
    launch: 'lock',
    strategies: ['swap-scratch', 'overwrite-only', 'direct-xip'],
    boot: 32_768,
    slots: {
      primary: { firstSector: 2, sectors: 9 },
      secondary: { firstSector: 14, sectors: 9 },
      scratch: { firstSector: 11, sectors: 1 },
    },
    shrink: 64,
  },
  stm32l4: {
    words: 'ST STM32L4 with MCUboot, 2 MiB',
    flash: { sectors: [{ count: 1024, size: 2048 }], writeUnit: 8, erased: 0xff, programs: 1, endurance: 10_000 },
    counter: UNARY_OTP,
    launch: 'lock',
    strategies: ['swap-move', 'swap-offset', 'swap-scratch', 'overwrite-only', 'direct-xip'],
    boot: 65_536,
    shrink: 4,
  },
  linux: {
    words: 'a Linux device with two root slots and boot attempts counted beside them',
    flash: { sectors: [{ count: 8192, size: 4096 }], writeUnit: 512, erased: 0xff, programs: 1, endurance: 100_000 },
    counter: { kind: 'pages', ceiling: 0xffff_ffff },
    launch: 'copy',
    strategies: ['linux-ab'],
    boot: 65_536,
    shrink: 1,
  },
} as const satisfies Readonly<Record<string, ChipRow>>;

export type ChipId = keyof typeof CHIPS;
