import { HoldfastError } from '@holdfast/kernel';
import { beforeAll, describe, expect, it } from 'vitest';
import { CHIPS } from './chips.ts';
import { counterCeiling } from './counter.ts';
import { rememberVerdicts } from './cut-trial.ts';
import { bootVersion } from './testing/boards.ts';
import { type Booting, BOOTINGS, imageWorld, named } from './testing/worlds.ts';
import { createVirtualChip, type VirtualChip } from './virtual-chip.ts';

const ROWS = BOOTINGS.map((booting) => [named(booting), booting] as const);

/** Boots an image on trial gets before it is given up. */
function trials({ strategy }: Booting): number {
  if (strategy === 'overwrite-only') return 0;
  return strategy === 'linux-ab' ? 3 : 1;
}

describe.each(ROWS)('%s', (_name, booting) => {
  const { sign, judge } = imageWorld(booting.chip);
  const other = imageWorld(booting.chip);
  const old = sign({ version: '1.0.0', counter: 1, size: 700 });
  const next = sign({ version: '2.0.0', counter: 3, size: 900 });
  const remembering = rememberVerdicts(judge);
  let chip: VirtualChip;

  beforeAll(() => {
    chip = createVirtualChip(booting.chip, {
      strategy: booting.strategy,
      smallest: Math.max(old.length, next.length),
      judge: remembering,
    });
    chip.provision(old);
    expect(bootVersion(chip)).toBe('1.0.0');
    start = chip.save();
  });

  let start: ReturnType<VirtualChip['save']>;
  const fresh = (): VirtualChip => {
    chip.load(start);
    chip.supply.setPlan([]);
    return chip;
  };

  it('gives a new image its trial, and goes back when nobody confirms it', () => {
    const chip = fresh();
    expect(chip.stage(next)).toEqual({ kind: 'staged' });
    for (let boot = 0; boot < trials(booting); boot++) {
      expect(bootVersion(chip)).toBe('2.0.0?');
      expect(chip.securityCounter).toBe(1);
    }
    const last = booting.strategy === 'overwrite-only' ? '2.0.0' : '1.0.0';
    expect([bootVersion(chip), bootVersion(chip)]).toEqual([last, last]);
  });

  it('keeps a confirmed image, and only then raises its counter', () => {
    const chip = fresh();
    chip.stage(next);
    bootVersion(chip);
    chip.confirm();
    expect([bootVersion(chip), bootVersion(chip)]).toEqual(['2.0.0', '2.0.0']);
    expect(chip.securityCounter).toBe(3);
  });

  it('keeps an image at once that was sent for good', () => {
    const chip = fresh();
    chip.stage(next, [], 'permanent');
    expect([bootVersion(chip), chip.securityCounter]).toEqual(['2.0.0', 3]);
  });

  it('refuses a counter below its fuses and takes an equal one', () => {
    const chip = fresh();
    chip.stage(next);
    bootVersion(chip);
    chip.confirm();
    bootVersion(chip);
    chip.stage(sign({ version: '3.0.0', counter: 2, size: 100 }));
    expect([bootVersion(chip), bootVersion(chip)].filter((version) => version.startsWith('3'))).toEqual([]);
    expect(chip.securityCounter).toBe(3);
    const same = fresh();
    same.stage(sign({ version: '1.0.1', counter: 1, size: 100 }));
    expect(bootVersion(same)).toMatch(/^1\.0\.1/);
  });

  it('refuses a counter that its cells cannot hold', () => {
    const chip = fresh();
    const counter = counterCeiling(CHIPS[booting.chip].counter) + 1;
    // Some counters hold whatever an image can say; some signers do not sign what a chip cannot hold.
    if (counter > 0xffff_ffff) return expect(counter).toBe(0x1_0000_0000);
    if (booting.strategy === 'esp-ota') return expect(() => sign({ counter })).toThrow(HoldfastError);
    chip.stage(sign({ version: '2.0.0', counter, size: 100 }));
    expect([bootVersion(chip), bootVersion(chip), chip.securityCounter]).toEqual(['1.0.0', '1.0.0', 1]);
  });

  it('boots nothing when both slots are bad, says why, and is healed by an update', () => {
    const chip = fresh();
    for (const slot of [chip.plan.primary, chip.plan.secondary]) rot(chip, slot.address + 40);
    const verdict = chip.boot();
    expect(verdict).toMatchObject({ kind: 'safe-mode' });
    expect(verdict).not.toHaveProperty('image');
    expect(chip.boot()).toMatchObject({ kind: 'safe-mode' });
    chip.stage(next);
    expect(bootVersion(chip)).toMatch(/^2\.0\.0/);
  });

  it('never runs an image after any one bit of it flipped', () => {
    const chip = fresh();
    const { address } = chip.plan.primary;
    for (let at = 0; at < old.length; at += old.length > 4096 ? 97 : 7) {
      chip.load(start);
      rot(chip, address + at);
      expect(chip.boot().kind, `byte ${at}`).toBe('safe-mode');
    }
  });

  it('runs old or new, or nothing, when any sector fails for good', () => {
    for (let sector = chip.plan.board.boot.sectors; sector < chip.plan.map.count; sector++) {
      const chip = fresh();
      const fault = { kind: 'stuck-sector', sector } as const;
      chip.stage(next, [fault]);
      for (let boot = 0; boot < 3; boot++) {
        const verdict = chip.boot([fault]);
        if (verdict.kind === 'running') expect(['1.0.0', '2.0.0']).toContain(verdict.image.version);
        else expect(verdict.kind).toBe('safe-mode');
      }
      const version = bootVersion(chip);
      expect(chip.securityCounter).toBe(version === '2.0.0' ? 3 : 1);
    }
  });

  it('runs old or new, or nothing, when any word is torn without a word', () => {
    for (let operation = 1; ; operation++) {
      const chip = fresh();
      const staged = chip.under([{ kind: 'torn-word', operation, seed: operation }], () => {
        chip.slot.prepare(next.length);
        chip.download(next);
        chip.slot.requestTest();
        chip.run();
        chip.slot.confirm();
        chip.run();
      });
      const { operations } = chip;
      const version = bootVersion(chip);
      expect(staged).toBe('done');
      expect(version, `operation ${operation}`).toMatch(/^(1\.0\.0|2\.0\.0)\??$|^(boot|wire)\./);
      if (operation > operations) break;
    }
  });

  it('refuses what another key signed, whatever is asked', () => {
    for (const type of ['test', 'permanent'] as const) {
      const chip = fresh();
      chip.stage(other.sign({ version: '2.0.0', counter: 3, size: 900 }), [], type);
      expect([bootVersion(chip), bootVersion(chip)]).toEqual(['1.0.0', '1.0.0']);
      expect(chip.securityCounter).toBe(1);
    }
  });

  it('runs what it verified though the flash is changed after any read', () => {
    const evil = new Uint8Array(64).fill(0x66);
    fresh().boot();
    const { reads } = chip.supply;
    for (let read = 1; read <= reads; read++) {
      const chip = fresh();
      const verdict = chip.boot([{ kind: 'replace', read, address: chip.plan.primary.address + 40, bytes: evil }]);
      if (verdict.kind !== 'running') continue;
      expect(verdict.image.version).toBe('1.0.0');
      expect(verdict.image.covered).toEqual(old.subarray(0, verdict.image.covered.length));
      const { launch } = chip.plan.board;
      // Locked before it was read, the flash itself still holds what was verified.
      if (launch === 'lock') expect(chip.flash.read(chip.plan.primary.address, old.length)).toEqual(old);
      if (launch === 'recheck') expect(read, 'only after the last look').toBe(reads);
    }
  });

  it('refuses an image larger than its slot before anything is erased', () => {
    const chip = fresh();
    const large = sign({ version: '2.0.0', counter: 3, size: chip.plan.capacity + 4096 });
    expect(chip.stage(large)).toEqual({ kind: 'refused', code: 'device.image_too_large' });
    expect(chip.operations).toBe(0);
  });
});

/** Flips bits in the flash behind the back of the chip. */
function rot(chip: VirtualChip, address: number): void {
  const flash = chip.flash.snapshot();
  flash[address] = (flash[address] ?? 0) ^ 0x10;
  chip.flash.restoreSnapshot(flash);
}
