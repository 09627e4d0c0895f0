import { describe, expect, it } from 'vitest';
import { type CutTrial, tryCuts } from './cut-trial.ts';
import type { Fault } from './faults.ts';
import { BOOTINGS, named, smallTrial } from './testing/worlds.ts';

const MODES: readonly ((operation: number) => Fault)[] = [
  (operation) => ({ kind: 'power-cut', operation, when: 'before' }),
  ...[7, 14, 21, 28].map(
    (seed) =>
      (operation: number): Fault => ({ kind: 'power-cut', operation, when: 'during', seed: seed + operation }),
  ),
  (operation) => ({ kind: 'brown-out', operation, seed: operation + 5 }),
  (operation) => ({ kind: 'power-cut', operation, when: 'after' }),
];

/** One journey; its number of cuts, after a look at what came of it. */
function cutsOf(trial: CutTrial, confirms: boolean, ...faults: readonly Fault[]): number {
  const { cuts, problem } = tryCuts(trial, { confirms, plans: faults.map((fault) => [fault]) });
  if (problem !== undefined) expect.unreachable(`${problem}: ${JSON.stringify(faults)}, confirmed: ${confirms}`);
  return cuts;
}

let cutsOfAll = 0;

describe('an update survives a power cut at every flash and fuse operation', () => {
  it.each(BOOTINGS.map((booting) => [named(booting), booting] as const))('%s', (_name, booting) => {
    const trial = smallTrial(booting);
    // The unconfirmed journey has operations of its own, those of the revert.
    for (let operation = 1, cut = 1; cut > 0; operation++) {
      cut = 0;
      for (const confirms of [true, false]) for (const mode of MODES) cut += cutsOf(trial, confirms, mode(operation));
      cutsOfAll += cut;
    }
  });
});

describe('an update survives every pair of power cuts on the smallest layout', () => {
  it.each(BOOTINGS.map((booting) => [named(booting), booting] as const))('%s', (_name, booting) => {
    const trial = smallTrial(booting, { from: 60, to: 64 });
    for (const confirms of [true, false]) {
      for (let first = 1, cut = 1; cut > 0; first++) {
        cut = 0;
        const one: Fault = { kind: 'power-cut', operation: first, when: 'during', seed: first };
        for (let second = 1; ; second++) {
          const two: Fault = { kind: 'power-cut', operation: second, when: 'during', seed: first + second };
          const cuts = cutsOf(trial, confirms, one, two);
          cut += cuts;
          if (cuts < 2) break;
        }
        cutsOfAll += cut;
      }
    }
  });

  it('which together are at least 20,000 cuts', () => {
    expect(cutsOfAll).toBeGreaterThan(20_000);
  });
});

describe('direct execute-in-place', () => {
  it('gives an image up that it cannot mark: its erase was cut between the marks and the magic', () => {
    const trial = smallTrial({ chip: 'nrf52840', strategy: 'direct-xip' });
    for (let seed = 0; seed < 768; seed += 3)
      for (let operation = 6; operation <= trial.operations; operation++)
        cutsOf(trial, false, { kind: 'power-cut', operation, when: 'during', seed });
  });
});
