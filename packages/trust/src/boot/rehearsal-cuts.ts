import type { CutJourney, Fault } from '@holdfast/crypto/virtual-chip';
import { seededRandom } from '@holdfast/kernel';

export type PlannedCut = CutJourney;

interface Draw {
  /** Flash operations of an undisturbed update. */
  readonly operations: number;
  readonly wanted: number | 'all';
  readonly seed: number;
}

/** An unconfirmed update goes back: its journey is longer by about the way back. */
const JOURNEYS = [true, false] as const;

/** Power cuts: every one once, or so many spread evenly with a different place in each part by seed. */
export function* drawCuts({ operations, wanted, seed }: Draw): Generator<PlannedCut> {
  const random = seededRandom(seed);
  const draw = (below: number): number => {
    const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
    return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % Math.max(below, 1);
  };
  if (wanted === 'all') {
    for (let operation = 1; operation <= operations; operation++)
      for (const confirms of JOURNEYS) yield cutAt(operation, confirms, draw(4));
    return;
  }
  const part = operations / Math.max(wanted, 1);
  for (const index of scattered(wanted)) {
    const operation = 1 + Math.floor(index * part) + draw(Math.max(1, Math.floor(part)));
    yield cutAt(Math.min(operation, operations), draw(2) === 0, draw(4));
  }
}

function cutAt(operation: number, confirms: boolean, mode: number): PlannedCut {
  return { confirms, plans: [[(MODES[mode] ?? MODES[0])(operation)]] };
}

const MODES: readonly [(operation: number) => Fault, ...((operation: number) => Fault)[]] = [
  (operation) => ({ kind: 'power-cut', operation, when: 'during', seed: operation }),
  (operation) => ({ kind: 'power-cut', operation, when: 'before' }),
  (operation) => ({ kind: 'power-cut', operation, when: 'after' }),
  (operation) => ({ kind: 'brown-out', operation, seed: operation }),
];

/** 0 to `count` - 1 with a stride, so that a rehearsal that runs out of time has cut all over the update. */
function* scattered(count: number): Generator<number> {
  const stride = [7, 5, 3, 2].find((each) => count % each !== 0) ?? 1;
  for (let index = 0; index < count; index++) yield (index * stride) % count;
}
