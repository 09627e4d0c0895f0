import { defineMachine } from '@holdfast/kernel';
import type { ExecutionOutcome, ExecutionRecord, ExecutionStatus } from '../ports/index.ts';

/**
 * What happens to an execution. `claim` is a device's SUCCEEDED where proof is required; `succeed` is one that is
 * believed; `prove` and `roll-back` are evidence; `remove` and `cancel` are the server's.
 */
export type ExecutionEvent =
  | 'start'
  | 'progress'
  | 'claim'
  | 'succeed'
  | 'prove'
  | 'fail'
  | 'reject'
  | 'roll-back'
  | 'time-out'
  | 'cancel'
  | 'remove';

/** @see AWS IoT developer guide, "Job execution states" */
export const EXECUTION_MACHINE = defineMachine<ExecutionStatus, ExecutionEvent>({
  name: 'execution',
  initial: 'QUEUED',
  transitions: {
    QUEUED: {
      start: 'IN_PROGRESS',
      claim: 'IN_PROGRESS',
      succeed: 'SUCCEEDED',
      prove: 'SUCCEEDED',
      fail: 'FAILED',
      reject: 'REJECTED',
      cancel: 'CANCELED',
      remove: 'REMOVED',
    },
    IN_PROGRESS: {
      progress: 'IN_PROGRESS',
      claim: 'IN_PROGRESS',
      succeed: 'SUCCEEDED',
      prove: 'SUCCEEDED',
      fail: 'FAILED',
      reject: 'REJECTED',
      'roll-back': 'FAILED',
      'time-out': 'TIMED_OUT',
      cancel: 'CANCELED',
      remove: 'REMOVED',
    },
    SUCCEEDED: {},
    FAILED: {},
    TIMED_OUT: {},
    REJECTED: {},
    REMOVED: {},
    CANCELED: {},
  },
});

/** By which of its words a device takes up what is queued: agents that were told of a job may never ask to start it. */
export const BEGINNINGS: ReadonlySet<ExecutionEvent> = new Set(['start', 'claim', 'succeed']);

/** How an execution ended, by the event that ended it. */
export const OUTCOME_OF_EVENT: Readonly<Partial<Record<ExecutionEvent, ExecutionOutcome>>> = {
  succeed: 'reported',
  prove: 'proven',
  fail: 'failed',
  reject: 'rejected',
  'roll-back': 'rolled-back',
  'time-out': 'timed-out',
  cancel: 'canceled',
  remove: 'canceled',
};

/** The order in which a device works: what it started first, then what was queued first. */
export function inNextOrder(executions: readonly ExecutionRecord[]): readonly ExecutionRecord[] {
  const rank = (each: ExecutionRecord): number => (each.status === 'IN_PROGRESS' ? 0 : 1);
  return [...executions].sort(
    (a, b) => rank(a) - rank(b) || a.queuedAt - b.queuedAt || (a.jobId < b.jobId ? -1 : a.jobId > b.jobId ? 1 : 0),
  );
}

/** What a device is told about its list: an entry came or went, another one became the next. */
export interface ListChange {
  readonly listChanged: boolean;
  readonly nextChanged: boolean;
}

/** @param before - the pending executions; `after` the changed or added one, ended or not */
export function listChangeOf(before: readonly ExecutionRecord[], after: ExecutionRecord): ListChange {
  const others = before.filter((each) => each.jobId !== after.jobId);
  const open = !EXECUTION_MACHINE.isTerminal(after.status);
  const now = open ? [...others, after] : others;
  const wasThere = others.length < before.length;
  return {
    listChanged: wasThere !== open,
    nextChanged: inNextOrder(before)[0]?.jobId !== inNextOrder(now)[0]?.jobId,
  };
}
