import type { EpochMs } from '@holdfast/kernel';
import type { Page, PageRequest } from '@holdfast/trust/ports';

/** A message its sink did not take; what it says is kept sealed beside it. */
export interface DeadLetter {
  readonly id: string;
  readonly deviceId: string | undefined;
  readonly topic: string;
  /** Of the message as the peer would get it. */
  readonly bytes: number;
  readonly attempts: number;
  readonly reason: string;
  readonly sentAt: EpochMs;
  readonly diedAt: EpochMs;
}

/** What sinks keep in the store. */
export interface SinkRecords {
  position(spool: string, sink: string): Promise<number | undefined>;
  savePositions(spool: string, positions: ReadonlyMap<string, number>): Promise<void>;
  /** Keeps one; the same one again changes nothing. Over the limit the oldest go. */
  bury(sink: string, letter: DeadLetter, json: string): Promise<void>;
  /** Oldest first; `after` is an id. */
  deadLetters(sink: string, page: PageRequest): Promise<Page<DeadLetter>>;
  countDead(sink: string): Promise<number>;
  /** As it was buried; undefined when it cannot be opened any more. */
  json(sink: string, letter: DeadLetter): Promise<string | undefined>;
  forget(sink: string, ids: readonly string[]): Promise<void>;
}
