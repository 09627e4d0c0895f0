import { HoldfastError } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { counterCeiling, type CounterSpec, counterBytes } from './counter.ts';
import { PowerSupply } from './faults.ts';
import { FuseBank } from './fuses.ts';

const SPECS: readonly (readonly [string, CounterSpec])[] = [
  ['one-time bits', { kind: 'unary', bits: 32 }],
  ['one-time slots', { kind: 'slots', slots: 8, ceiling: 32_767 }],
  ['pages in turns', { kind: 'pages', ceiling: 0xffff_ffff }],
];

const refused = expect.objectContaining({ code: 'device.fuse_refused' });

describe.each(SPECS)('a counter of %s', (_name, spec) => {
  it('counts up, never down, and a repeat costs nothing', () => {
    const supply = new PowerSupply();
    const fuses = new FuseBank(supply, spec);
    expect(fuses.securityCounter).toBe(0);
    fuses.raiseSecurityCounter(5);
    fuses.raiseSecurityCounter(3);
    const { operations } = supply;
    fuses.raiseSecurityCounter(5);
    expect([fuses.securityCounter, supply.operations]).toEqual([5, operations]);
    fuses.raiseSecurityCounter(9);
    expect(fuses.securityCounter).toBe(9);
  });

  it('ends where its cells end', () => {
    const fuses = new FuseBank(new PowerSupply(), spec);
    const ceiling = counterCeiling(spec);
    expect([fuses.canHold(ceiling), fuses.canHold(ceiling + 1)]).toEqual([true, false]);
    expect(() => fuses.raiseSecurityCounter(ceiling + 1)).toThrowError(refused);
    fuses.raiseSecurityCounter(ceiling);
    expect(fuses.securityCounter).toBe(ceiling);
    expect(fuses.canHold(ceiling)).toBe(true);
  });

  it.each(['before', 'during', 'after'] as const)(
    'never overshoots or falls back when power goes %s a burn, and a repeat finishes',
    (when) => {
      for (const target of [6, 9, 16, 31])
        for (let operation = 1; operation <= 6; operation++)
          for (let seed = 0; seed < 16; seed++) {
            const supply = new PowerSupply();
            const fuses = new FuseBank(supply, spec);
            fuses.raiseSecurityCounter(3);
            supply.setPlan([{ kind: 'power-cut', operation, when, seed }]);
            try {
              fuses.raiseSecurityCounter(target);
            } catch (error) {
              if (!HoldfastError.is(error, 'device.power_cut')) throw error;
            }
            expect(fuses.securityCounter).toBeGreaterThanOrEqual(3);
            expect(fuses.securityCounter).toBeLessThanOrEqual(target);
            supply.restore();
            supply.setPlan([]);
            fuses.raiseSecurityCounter(target);
            expect(fuses.securityCounter).toBe(target);
          }
    },
  );

  it('takes whole words', () => {
    expect(counterBytes(spec) % 4).toBe(0);
  });
});

describe('a counter of slots', () => {
  it('takes as many raises as it has slots, then refuses what it could have held before', () => {
    const fuses = new FuseBank(new PowerSupply(), { kind: 'slots', slots: 4, ceiling: 100 });
    for (let value = 1; value <= 4; value++) fuses.raiseSecurityCounter(10 * value);
    expect([fuses.canHold(40), fuses.canHold(41)]).toEqual([true, false]);
    expect(() => fuses.raiseSecurityCounter(41)).toThrowError(refused);
    expect(fuses.securityCounter).toBe(40);
  });
});

describe('a counter of pages', () => {
  it('goes by the older page when the newer is damaged', () => {
    const fuses = new FuseBank(new PowerSupply(), { kind: 'pages', ceiling: 100 });
    fuses.raiseSecurityCounter(4);
    fuses.raiseSecurityCounter(7);
    const cells = fuses.snapshot();
    cells[cells.length - 1] = (cells.at(-1) ?? 0) ^ 1;
    fuses.restoreSnapshot(cells);
    expect(fuses.securityCounter).toBe(4);
  });
});
