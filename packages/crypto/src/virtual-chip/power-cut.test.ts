import { describe, expect, it } from 'vitest';
import { TestBoard } from './testing/board.ts';
import { makeTestKey, signTestImage } from './testing/images.ts';
import type { Fault } from './faults.ts';

const key = makeTestKey();
const BOARDS = ['tiny-move', 'tiny-scratch'] as const;
const OLD = signTestImage(key, { version: '1.0.0', counter: 1, size: 700 });
const NEW = signTestImage(key, { version: '2.0.0', counter: 3, size: 900 });
const GOOD = ['1.0.0', '2.0.0', '2.0.0?'];

/** A whole update: staged, booted on trial, confirmed or not, booted again. */
interface Journey {
  readonly board: TestBoard;
  readonly confirms: boolean;
}

function travel({ board, confirms }: Journey): void {
  board.stage(NEW);
  board.boot();
  if (confirms) board.slot.confirm();
  board.boot();
}

/** Every boot after a cut must show an old or new image, never a counter ahead of what is installed. */
function expectSound(board: TestBoard, label: string): void {
  const version = board.bootVersion();
  expect(GOOD, label).toContain(version);
  expect(board.fuses.securityCounter, label).toBeLessThanOrEqual(version === '2.0.0' ? 3 : 1);
}

function start(name: (typeof BOARDS)[number]): {
  board: TestBoard;
  state: ReturnType<TestBoard['save']>;
  operations: number;
} {
  const board = new TestBoard(name, key);
  board.install(OLD);
  board.boot();
  const state = board.save();
  board.supply.setPlan([]);
  travel({ board, confirms: true });
  const { operations } = board.supply;
  expect(board.bootVersion()).toBe('2.0.0');
  return { board, state, operations };
}

const MODES: readonly ((operation: number) => Fault)[] = [
  (operation) => ({ kind: 'power-cut', operation, when: 'before' }),
  ...[1, 2, 3, 4].map(
    (seed) =>
      (operation: number): Fault => ({ kind: 'power-cut', operation, when: 'during', seed: seed * 7 }),
  ),
  (operation) => ({ kind: 'power-cut', operation, when: 'after' }),
];

describe.each(BOARDS)('an update on %s', (name) => {
  it.each([true, false])('survives a power cut at every operation (confirmed: %s)', (confirms) => {
    const { board, state, operations } = start(name);
    for (let operation = 1; operation <= operations; operation++) {
      for (const mode of MODES) {
        const fault = mode(operation);
        const label = JSON.stringify(fault);
        board.load(state);
        board.underFaults([fault], () => travel({ board, confirms }));
        expectSound(board, label);
        expectSound(board, label);
        travel({ board, confirms: true });
        expect(board.bootVersion(), label).toBe('2.0.0');
        expect(board.fuses.securityCounter, label).toBe(3);
      }
    }
  });

  it('survives a second cut while it recovers from the first (sampled pairs)', () => {
    const { board, state, operations } = start(name);
    for (let first = 1; first <= operations; first += 3) {
      board.load(state);
      const cut: Fault = { kind: 'power-cut', operation: first, when: 'during', seed: first };
      board.underFaults([cut], () => travel({ board, confirms: first % 2 === 0 }));
      const between = board.save();
      for (let second = 1; second <= operations; second += 2) {
        board.load(between);
        const again: Fault = { kind: 'power-cut', operation: second, when: 'during', seed: first + second };
        const outcome = board.underFaults([again], () => board.boot());
        expectSound(board, `${first}, then ${second}`);
        if (outcome === 'done') break;
      }
    }
  });

  it('reverts soundly through a cut at every operation of the revert', () => {
    const { board, state } = start(name);
    board.load(state);
    board.stage(NEW);
    board.boot();
    const onTrial = board.save();
    for (let operation = 1; ; operation++) {
      for (const mode of MODES) {
        board.load(onTrial);
        const outcome = board.underFaults([mode(operation)], () => board.boot());
        expect(board.bootVersion(), `operation ${operation}`).toBe('1.0.0');
        expect(board.fuses.securityCounter).toBe(1);
        if (outcome === 'done') return;
      }
    }
  });

  it('goes on, or stays with the old image, when any sector fails for good', () => {
    const { board, state } = start(name);
    for (let sector = 4; sector < 16; sector++) {
      board.load(state);
      board.supply.setPlan([{ kind: 'stuck-sector', sector }]);
      try {
        travel({ board, confirms: true });
      } catch (error) {
        expect(error).toMatchObject({ code: 'device.flash_failed' });
      }
      board.supply.setPlan([]);
      expect([...GOOD, 'boot.bad_magic'], `sector ${sector}`).toContain(board.bootVersion());
    }
  });
});
