import { HoldfastError } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { BOARDS, layoutBoard } from './boards.ts';
import { type BoardLayout, CHIPS, type ChipId } from './chips.ts';
import { type Region, SectorMap } from './geometry.ts';
import { planSlots } from './slots.ts';
import { planSwap } from './swap-plan.ts';
import { BOOTINGS, named } from './testing/worlds.ts';

const ROWS = BOOTINGS.map((booting) => [named(booting), booting] as const);
const KIB = 1024;

function regions({ boot, primary, secondary, scratch, records }: BoardLayout): readonly Region[] {
  return [boot, primary, secondary, scratch, records].flatMap((region) => (region === undefined ? [] : [region]));
}

function overlap(board: BoardLayout): boolean {
  const sorted = regions(board).toSorted((a, b) => a.firstSector - b.firstSector);
  return sorted.some(
    ({ firstSector, sectors }, index) =>
      firstSector + sectors > (sorted[index + 1]?.firstSector ?? Number.POSITIVE_INFINITY),
  );
}

describe.each(ROWS)('%s', (_name, { chip, strategy }) => {
  const whole = layoutBoard(chip, { strategy });

  it('divides the real part without overlap and within it', () => {
    expect(overlap(whole)).toBe(false);
    const { count } = new SectorMap(whole.geometry.sectors);
    for (const { firstSector, sectors } of regions(whole)) expect(firstSector + sectors).toBeLessThanOrEqual(count);
  });

  it('keeps most of its slots for images', () => {
    const { capacity, primary } = planSlots(whole);
    expect(capacity / (primary.end - primary.address)).toBeGreaterThan(0.75);
    expect(capacity).toBeGreaterThan(200 * KIB);
  });

  it('shrinks to the smallest that holds an image, with its own cells', () => {
    const small = layoutBoard(chip, { strategy, smallest: 900 });
    expect(overlap(small)).toBe(false);
    expect(planSlots(small).capacity).toBeGreaterThanOrEqual(900);
    const { writeUnit, erased, programs } = CHIPS[chip].flash;
    expect(small.geometry).toMatchObject({ writeUnit, erased, programs });
    const sizes = small.geometry.sectors.map(({ size }) => size);
    for (const size of sizes) expect(size % writeUnit).toBe(0);
    expect(() => layoutBoard(chip, { strategy, smallest: 1e9 })).toThrowError(HoldfastError);
  });

  it('swaps, when it swaps, every byte of both images and only through what it has erased', () => {
    const plan = planSlots(layoutBoard(chip, { strategy, smallest: 900 }));
    for (const type of ['test', 'revert'] as const) {
      const sizes = { primary: plan.capacity, secondary: plan.capacity };
      const steps = plan.units.length === 0 ? [] : planSwap(plan, type, sizes);
      for (const { erase, length } of steps) expect(length).toBeLessThanOrEqual(plan.map.bytesOf(erase));
      const copied = steps.reduce((sum, { length }) => sum + length, 0);
      expect(copied).toBeGreaterThanOrEqual(plan.units.length === 0 ? 0 : 2 * plan.capacity);
    }
  });
});

describe('the table of chips', () => {
  it('refuses a strategy that the boot code of the chip does not have', () => {
    expect(() => layoutBoard('lpc55s69', { strategy: 'swap-move' })).toThrowError(
      expect.objectContaining({ code: 'boot.bad_option' }),
    );
  });

  it.each<[ChipId, number, number, number]>([
    ['nrf52840', 2048 * KIB, 4, 4096],
    ['lpc55s69', 630 * KIB, 512, 512],
    ['psoc64', 2048 * KIB, 512, 512],
    ['esp32', 4096 * KIB, 4, 4096],
    ['esp32-c3', 4096 * KIB, 4, 4096],
    ['stm32f4', 2048 * KIB, 4, 16 * KIB],
  ])('knows the flash of %s', (chip, size, writeUnit, firstSector) => {
    const { flash } = CHIPS[chip];
    const map = new SectorMap(flash.sectors);
    expect([map.size, flash.writeUnit, map.sizeOf(0)]).toEqual([size, writeUnit, firstSector]);
  });

  it('finds the sector of an address among uneven ones', () => {
    const map = new SectorMap(CHIPS.stm32f4.flash.sectors);
    expect([0, 16 * KIB - 1, 16 * KIB, 64 * KIB, 128 * KIB, 1024 * KIB].map((at) => map.at(at))).toEqual([
      0, 0, 1, 4, 5, 12,
    ]);
    expect(map.isUniform({ firstSector: 0, sectors: 4 })).toBe(true);
    expect(map.isUniform({ firstSector: 3, sectors: 2 })).toBe(false);
  });

  it('leaves code that runs in place in the flash it can run from', () => {
    const { secondary } = planSlots(layoutBoard('nrf52840', { strategy: 'direct-xip' }));
    expect(secondary.end).toBeLessThanOrEqual(1024 * KIB);
  });

  it('swaps uneven sectors in units that end together', () => {
    const { units, primary, capacity } = planSlots(BOARDS.stm32f4);
    expect(units.map(({ length }) => length / KIB)).toEqual([96, 128, 128, 128, 128, 128]);
    expect(capacity).toBe(primary.end - primary.address - 128 * KIB);
  });
});
