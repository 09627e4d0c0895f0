import { type CutTrial, tryCuts } from '../../../packages/crypto/src/virtual-chip/cut-trial.ts';
import type { Fault } from '../../../packages/crypto/src/virtual-chip/faults.ts';
import { BOOTINGS, named, smallTrial } from '../../../packages/crypto/src/virtual-chip/testing/worlds.ts';
import { Dice, type Soak, type SoakReport } from './soak.ts';

const MOST_FAULTS = 20;
/** One cut in the journey, then up to three more while the device recovers. */
const PLANS = 4;

interface Place {
  readonly name: string;
  readonly trial: CutTrial;
  cuts: number;
}

function cutPower(count: number, seed: number, say: (line: string) => void): SoakReport {
  const dice = new Dice(seed);
  const faults: string[] = [];
  // Images of other lengths than the tests use: other numbers of sectors, other last words.
  const places: readonly Place[] = BOOTINGS.map((booting) => ({
    name: named(booting),
    trial: smallTrial(booting, { from: 200 + dice.below(1200), to: 200 + dice.below(1200) }),
    cuts: 0,
  }));
  let cuts = 0;
  let journeys = 0;
  const started = performance.now();
  while (cuts < count && faults.length < MOST_FAULTS) {
    const place = places[journeys++ % places.length];
    if (place === undefined) break;
    const { trial, name } = place;
    const plans = Array.from({ length: PLANS }, () => [cut(dice, trial.operations)]);
    const confirms = dice.below(2) === 0;
    const outcome = tryCuts(trial, { confirms, plans });
    cuts += outcome.cuts;
    place.cuts += outcome.cuts;
    if (outcome.problem !== undefined)
      faults.push(`${name} ${outcome.problem}: confirms ${confirms}, ${JSON.stringify(plans)}`);
    if (journeys % 20_000 === 0) say(`${cuts} cuts in ${journeys} journeys`);
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  const rows = Object.fromEntries(places.map((place) => [place.name, place.cuts]));
  return { facts: { seed, cuts, journeys, seconds, ...rows }, faults };
}

function cut(dice: Dice, operations: number): Fault {
  const operation = 1 + dice.below(operations);
  const seed = 1 + dice.below(1_000_000);
  const kind = dice.below(6);
  if (kind === 0) return { kind: 'power-cut', operation, when: dice.pick(['before', 'after']) };
  return kind === 1 ? { kind: 'brown-out', operation, seed } : { kind: 'power-cut', operation, when: 'during', seed };
}

export const powerCuts: Soak = {
  name: 'power-cuts',
  words: 'power cuts at random flash operations of an update on every chip and strategy, and again while it recovers',
  run: (count = 100_000, seed, say) => Promise.resolve(cutPower(count, seed, say)),
};
