import { TestBoard } from '../../../packages/crypto/src/virtual-chip/testing/board.ts';
import { makeTestKey, signTestImage } from '../../../packages/crypto/src/virtual-chip/testing/images.ts';
import type { Fault } from '../../../packages/crypto/src/virtual-chip/faults.ts';
import { Dice, type Soak, type SoakReport } from './soak.ts';

const BOARDS = ['tiny-move', 'tiny-scratch'] as const;
const GOOD: readonly string[] = ['1.0.0', '2.0.0', '2.0.0?'];

function cutPower(count: number, seed: number, say: (line: string) => void): SoakReport {
  const dice = new Dice(seed);
  const faults: string[] = [];
  const key = makeTestKey();
  const old = signTestImage(key, { version: '1.0.0', counter: 1, size: 700 });
  const next = signTestImage(key, { version: '2.0.0', counter: 3, size: 900 });
  const travel = (board: TestBoard, confirms: boolean): void => {
    board.stage(next);
    board.boot();
    if (confirms) board.slot.confirm();
    board.boot();
  };
  const boards = BOARDS.map((name) => {
    const board = new TestBoard(name, key);
    board.install(old);
    board.boot();
    const state = board.save();
    board.supply.setPlan([]);
    travel(board, true);
    return { name, board, state, operations: board.supply.operations };
  });
  let cuts = 0;
  let journeys = 0;
  const started = performance.now();
  while (cuts < count && faults.length < 20) {
    const place = boards[journeys++ % boards.length];
    if (place === undefined) break;
    const { name, board, state, operations } = place;
    board.load(state);
    board.supply.setPlan([]);
    const trace: Fault[] = [];
    const confirms = dice.below(2) === 0;
    // One cut in the journey, then up to three more while it recovers.
    for (let again = 0; again < 4; again++) {
      const cut: Fault =
        dice.below(3) === 0
          ? { kind: 'power-cut', operation: 1 + dice.below(operations), when: dice.pick(['before', 'after']) }
          : {
              kind: 'power-cut',
              operation: 1 + dice.below(operations),
              when: 'during',
              seed: 1 + dice.below(1_000_000),
            };
      trace.push(cut);
      const outcome = board.underFaults([cut], () => (again === 0 ? travel(board, confirms) : void board.boot()));
      if (outcome === 'done') break;
      cuts++;
    }
    const version = board.bootVersion();
    const counter = board.fuses.securityCounter;
    const told = `${name} after ${JSON.stringify(trace)}`;
    if (!GOOD.includes(version)) faults.push(`boots ${version}: ${told}`);
    if (counter > (version === '2.0.0' ? 3 : 1)) faults.push(`counter ${counter} is ahead of ${version}: ${told}`);
    travel(board, true);
    if (board.bootVersion() !== '2.0.0') faults.push(`cannot be updated any more: ${told}`);
    if (journeys % 20_000 === 0) say(`${cuts} cuts in ${journeys} journeys`);
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  return { facts: { seed, cuts, journeys, seconds }, faults };
}

export const powerCuts: Soak = {
  name: 'power-cuts',
  words: 'power cuts at random flash operations of an update, and again while it recovers',
  run: (count = 100_000, seed, say) => Promise.resolve(cutPower(count, seed, say)),
};
