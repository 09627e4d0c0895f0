import { describe, expect, it } from 'vitest';
import type { ExecutionRecord, ExecutionStatus } from '../ports/index.ts';
import {
  EXECUTION_MACHINE,
  type ExecutionEvent,
  inNextOrder,
  listChangeOf,
  OUTCOME_OF_EVENT,
} from './execution-machine.ts';
import { queuedExecution } from './queueing.ts';

const EVENTS = [
  'start',
  'progress',
  'claim',
  'succeed',
  'prove',
  'fail',
  'reject',
  'roll-back',
  'time-out',
  'cancel',
  'remove',
] as const satisfies readonly ExecutionEvent[];

/** One row a state, one column an event in the order above; `-` is not allowed. */
const TABLE: Readonly<Record<ExecutionStatus, string>> = {
  QUEUED: 'IN_PROGRESS - IN_PROGRESS SUCCEEDED SUCCEEDED FAILED REJECTED - - CANCELED REMOVED',
  IN_PROGRESS: '- IN_PROGRESS IN_PROGRESS SUCCEEDED SUCCEEDED FAILED REJECTED FAILED TIMED_OUT CANCELED REMOVED',
  SUCCEEDED: '- - - - - - - - - - -',
  FAILED: '- - - - - - - - - - -',
  TIMED_OUT: '- - - - - - - - - - -',
  REJECTED: '- - - - - - - - - - -',
  REMOVED: '- - - - - - - - - - -',
  CANCELED: '- - - - - - - - - - -',
};

const pairs = EXECUTION_MACHINE.states.flatMap((state) =>
  EVENTS.map((event, at) => ({ state, event, to: TABLE[state].split(' ')[at] })),
);

describe('the execution machine', () => {
  it.each(pairs)('leads from $state on $event to $to', ({ state, event, to }) => {
    expect(EXECUTION_MACHINE.next(state, event) ?? '-').toBe(to);
  });

  it('gives every event that ends an execution an outcome, and no other', () => {
    for (const event of EVENTS) {
      const to = EXECUTION_MACHINE.next('IN_PROGRESS', event);
      expect(OUTCOME_OF_EVENT[event] !== undefined).toBe(to !== undefined && EXECUTION_MACHINE.isTerminal(to));
    }
  });
});

const make = (jobId: string, at: number, status: ExecutionStatus = 'QUEUED'): ExecutionRecord => ({
  ...queuedExecution({ tenant: 't', deviceId: 'd', jobId, releaseId: undefined, at }),
  status,
});

describe('the pending list', () => {
  it('has what was started first, then what was queued first, then order of name', () => {
    const list = [make('d', 3), make('c', 2), make('a', 9, 'IN_PROGRESS'), make('b', 2)];
    expect(inNextOrder(list).map(({ jobId }) => jobId)).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each<[string, ExecutionRecord[], ExecutionRecord, { listChanged: boolean; nextChanged: boolean }]>([
    ['the first job is queued', [], make('a', 1), { listChanged: true, nextChanged: true }],
    ['a second job is queued', [make('a', 1)], make('b', 2), { listChanged: true, nextChanged: false }],
    ['the next job starts', [make('a', 1)], make('a', 1, 'IN_PROGRESS'), { listChanged: false, nextChanged: false }],
    [
      'another job starts first',
      [make('a', 1), make('b', 2)],
      make('b', 2, 'IN_PROGRESS'),
      { listChanged: false, nextChanged: true },
    ],
    [
      'the next job ends',
      [make('a', 1, 'IN_PROGRESS'), make('b', 2)],
      make('a', 1, 'SUCCEEDED'),
      { listChanged: true, nextChanged: true },
    ],
    [
      'a later job is cancelled',
      [make('a', 1), make('b', 2)],
      make('b', 2, 'CANCELED'),
      { listChanged: true, nextChanged: false },
    ],
    ['the last job ends', [make('a', 1)], make('a', 1, 'FAILED'), { listChanged: true, nextChanged: true }],
  ])('tells the device right when %s', (_title, before, after, expected) => {
    expect(listChangeOf(before, after)).toEqual(expected);
  });
});
