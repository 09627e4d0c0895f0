import { HoldfastError } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { memoryBacking } from './backing.ts';
import { type Fault, PowerSupply } from './faults.ts';
import { NorFlash } from './flash.ts';
import { FuseBank, fuseBytes } from './fuses.ts';
import type { FlashGeometry } from './geometry.ts';

const GEOMETRY: FlashGeometry = {
  sectors: [{ count: 4, size: 64 }],
  writeUnit: 4,
  erased: 0xff,
  programs: 1,
  endurance: 100,
};
const ERASED = 0xff;
const COUNTER = { kind: 'unary', bits: 256 } as const;
const WORDS = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function flashWith(...faults: readonly Fault[]): { flash: NorFlash; supply: PowerSupply } {
  const supply = new PowerSupply();
  supply.setPlan(faults);
  return { flash: new NorFlash(GEOMETRY, supply), supply };
}

const code = (action: () => void): string | undefined => {
  try {
    action();
  } catch (error) {
    return HoldfastError.is(error) ? error.code : 'other';
  }
  return undefined;
};

describe('NOR flash', () => {
  it('holds what was written until its sector is erased, and counts the erase', () => {
    const { flash } = flashWith();
    flash.write(8, WORDS);
    expect(flash.read(8, 8)).toEqual(WORDS);
    flash.erase(0);
    expect(flash.read(8, 8).every((byte) => byte === ERASED)).toBe(true);
    expect([flash.eraseCount(0), flash.eraseCount(1), flash.maxEraseCount()]).toEqual([1, 0, 1]);
  });

  it.each<[string, (flash: NorFlash) => void]>([
    ['a second write to a unit', (flash) => flash.write(12, WORDS)],
    ['a write off the unit boundary', (flash) => flash.write(34, WORDS)],
    ['a write of a part of a unit', (flash) => flash.write(32, WORDS.subarray(0, 3))],
    ['a write beyond the end', (flash) => flash.write(252, WORDS)],
    ['an erase beyond the end', (flash) => flash.erase(4)],
    ['a read beyond the end', (flash) => flash.read(250, 8)],
  ])('refuses %s', (_name, action) => {
    const { flash } = flashWith();
    flash.write(8, WORDS);
    expect(code(() => action(flash))).toBe('device.flash_refused');
  });

  it('only clears bits in a torn word, and takes no second write there', () => {
    const { flash } = flashWith({ kind: 'power-cut', operation: 1, when: 'during', seed: 5 });
    const zeros = new Uint8Array(16);
    expect(code(() => flash.write(0, zeros))).toBe('device.power_cut');
    expect(code(() => flash.read(0, 1))).toBe('device.power_cut');
  });

  it('goes dead with the power and comes back with it', () => {
    const { flash, supply } = flashWith({ kind: 'power-cut', operation: 2, when: 'before' });
    flash.write(0, WORDS);
    expect(code(() => flash.erase(0))).toBe('device.power_cut');
    expect(code(() => flash.erase(0))).toBe('device.power_cut');
    supply.restore();
    expect(flash.read(0, 8)).toEqual(WORDS);
  });

  it('leaves a partly erased sector unwritable until it is erased again', () => {
    const { flash, supply } = flashWith({ kind: 'power-cut', operation: 2, when: 'during', seed: 3 });
    flash.write(0, WORDS);
    expect(code(() => flash.erase(0))).toBe('device.power_cut');
    supply.restore();
    expect(code(() => flash.write(32, WORDS))).toBe('device.flash_refused');
    flash.erase(0);
    flash.write(32, WORDS);
  });

  it('shows a torn word, a stuck sector, bit rot and replaced content as planned', () => {
    const torn = flashWith({ kind: 'torn-word', operation: 1, seed: 9 }).flash;
    torn.write(0, new Uint8Array(8));
    expect(torn.read(0, 4)).toEqual(new Uint8Array(4));
    expect(torn.read(4, 4)).not.toEqual(new Uint8Array(4));
    const stuck = flashWith({ kind: 'stuck-sector', sector: 1 }).flash;
    expect([code(() => stuck.erase(1)), code(() => stuck.write(64, WORDS)), code(() => stuck.erase(0))]).toEqual([
      'device.flash_failed',
      'device.flash_failed',
      undefined,
    ]);
    const rotten = flashWith({ kind: 'bit-rot', operation: 2, address: 8, bit: 0 }).flash;
    rotten.write(8, WORDS);
    rotten.erase(1);
    expect(rotten.read(8, 1)).toEqual(Uint8Array.of(0));
    const replaced = flashWith({ kind: 'replace', read: 1, address: 0, bytes: WORDS }).flash;
    expect(replaced.read(0, 1)).toEqual(Uint8Array.of(ERASED));
    expect(replaced.read(0, 8)).toEqual(WORDS);
  });

  it('takes as many writes to a unit as its cells allow, each only clearing bits', () => {
    const flash = new NorFlash({ ...GEOMETRY, programs: 2 }, new PowerSupply());
    flash.write(0, Uint8Array.of(0xf0, 0xff, 0xff, 0xff));
    flash.write(0, Uint8Array.of(0x3f, 0xff, 0xff, 0xff));
    expect(flash.read(0, 1)).toEqual(Uint8Array.of(0x30));
    expect(code(() => flash.write(0, new Uint8Array(4)))).toBe('device.flash_refused');
  });

  it('may erase to zero; then bits only set', () => {
    const flash = new NorFlash({ ...GEOMETRY, erased: 0x00, programs: 2 }, new PowerSupply());
    expect(flash.read(0, 4)).toEqual(new Uint8Array(4));
    flash.write(0, Uint8Array.of(0x0f, 0, 0, 0));
    flash.write(0, Uint8Array.of(0xf0, 0, 0, 0));
    expect(flash.read(0, 1)).toEqual(Uint8Array.of(0xff));
    flash.erase(0);
    expect(flash.read(0, 4)).toEqual(new Uint8Array(4));
  });

  it('erases sectors of any size, and nothing beside them', () => {
    const sectors = [
      { count: 2, size: 16 },
      { count: 1, size: 64 },
    ];
    const flash = new NorFlash({ ...GEOMETRY, sectors }, new PowerSupply());
    flash.write(0, new Uint8Array(96));
    flash.erase(1);
    expect([flash.size, flash.read(15, 3), flash.read(31, 2)]).toEqual([
      96,
      Uint8Array.of(0, ERASED, ERASED),
      Uint8Array.of(ERASED, 0),
    ]);
    flash.erase(2);
    expect(flash.read(32, 64).every((byte) => byte === ERASED)).toBe(true);
  });

  it('reads otherwise each time where power sagged in an erase, until it is erased again', () => {
    const { flash, supply } = flashWith({ kind: 'brown-out', operation: 2, seed: 4 });
    flash.write(0, new Uint8Array(64));
    expect(code(() => flash.erase(0))).toBe('device.power_cut');
    supply.restore();
    const reads = Array.from({ length: 8 }, () => flash.read(0, 64).join());
    expect(new Set(reads).size).toBeGreaterThan(1);
    expect(flash.read(64, 4).every((byte) => byte === ERASED)).toBe(true);
    flash.erase(0);
    expect(flash.read(0, 64).every((byte) => byte === ERASED)).toBe(true);
  });

  it('changes nothing in a locked range until the next reset, a probe included', () => {
    const supply = new PowerSupply();
    const flash = new NorFlash(GEOMETRY, supply);
    flash.write(0, WORDS);
    flash.lock(0, 8);
    expect([code(() => flash.erase(0)), code(() => flash.write(4, WORDS))]).toEqual([
      'device.flash_refused',
      'device.flash_refused',
    ]);
    supply.setPlan([{ kind: 'replace', read: 1, address: 4, bytes: new Uint8Array(8) }]);
    flash.read(0, 1);
    expect(flash.read(0, 12)).toEqual(Uint8Array.of(...WORDS, 0, 0, 0, 0));
    flash.reset();
    flash.erase(0);
  });
});

describe('fuses', () => {
  it('only set bits, and a repeat of the same value costs nothing', () => {
    const supply = new PowerSupply();
    const fuses = new FuseBank(supply, COUNTER);
    fuses.burn('bootKeyHash', new Uint8Array(32).fill(0x0f));
    const { operations } = supply;
    fuses.burn('bootKeyHash', new Uint8Array(32).fill(0x0f));
    expect(supply.operations).toBe(operations);
    fuses.burn('bootKeyHash', new Uint8Array(32).fill(0xf0));
    expect(fuses.read('bootKeyHash')).toEqual(new Uint8Array(32).fill(0xff));
    expect(code(() => fuses.burn('bootKeyHash', new Uint8Array(31)))).toBe('device.fuse_refused');
  });

  it('do not show the device secret between its lock and the next reset', () => {
    const fuses = new FuseBank(new PowerSupply(), COUNTER, memoryBacking(new Uint8Array(fuseBytes(COUNTER)).fill(7)));
    expect(fuses.read('deviceSecret')).toEqual(new Uint8Array(32).fill(7));
    fuses.lockSecret();
    expect(code(() => fuses.read('deviceSecret'))).toBe('device.fuse_refused');
    fuses.reset();
    expect(fuses.read('deviceSecret')).toHaveLength(32);
  });

  it('count up, never down, and not beyond what they hold', () => {
    const fuses = new FuseBank(new PowerSupply(), COUNTER);
    fuses.raiseSecurityCounter(5);
    fuses.raiseSecurityCounter(3);
    expect(fuses.securityCounter).toBe(5);
    fuses.raiseSecurityCounter(256);
    expect(fuses.securityCounter).toBe(256);
    expect(code(() => fuses.raiseSecurityCounter(257))).toBe('device.fuse_refused');
  });

  it.each(['before', 'during', 'after'] as const)(
    'never overshoot when power goes %s a burn, and finish on a repeat',
    (when) => {
      for (let operation = 1; operation <= 6; operation++) {
        for (let seed = 0; seed < 8; seed++) {
          const supply = new PowerSupply();
          const fuses = new FuseBank(supply, COUNTER);
          supply.setPlan([{ kind: 'power-cut', operation, when, seed }]);
          expect(code(() => fuses.raiseSecurityCounter(6))).toBe('device.power_cut');
          expect(fuses.securityCounter).toBeLessThanOrEqual(operation);
          supply.restore();
          supply.setPlan([]);
          fuses.raiseSecurityCounter(6);
          expect(fuses.securityCounter).toBe(6);
        }
      }
    },
  );

  it('step through the life cycle in one direction', () => {
    const fuses = new FuseBank(new PowerSupply(), COUNTER);
    expect([fuses.lifeCycle, fuses.debugLocked]).toEqual(['open', false]);
    fuses.advanceLifeCycle('secured');
    fuses.lockDebug();
    fuses.advanceLifeCycle('open');
    expect([fuses.lifeCycle, fuses.debugLocked]).toEqual(['secured', true]);
    fuses.advanceLifeCycle('retired');
    fuses.advanceLifeCycle('secured');
    expect(fuses.lifeCycle).toBe('retired');
  });
});
