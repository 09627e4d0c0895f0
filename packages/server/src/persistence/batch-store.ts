import { type Clock, HoldfastError, toHoldfastError } from '@holdfast/kernel';
import type { Store, Write } from '@holdfast/trust/ports';
import { toStoreWrites } from './write.ts';
import type { Writer } from './writer.ts';
import type { BatchResult, Unit } from './writer-core.ts';

/** Bounds memory while the disk stands still. */
const MAX_WAITING = 65_536;

/** What the store has done since it opened. */
export interface StoreCounters {
  readonly transactions: number;
  /** Units that are durable. */
  readonly units: number;
  /** Units that were refused or rolled back. */
  readonly failed: number;
}

/** Called after every committed batch, before its units resolve. */
export type CommitListener = (state: { readonly lastEvent: number; readonly auditSize: number }) => void;

interface WaitingUnit {
  readonly unit: Unit;
  readonly resolve: () => void;
  readonly reject: (error: HoldfastError) => void;
}

/** Groups units: while one batch waits for the disk the next one gathers. */
export class BatchStore implements Store {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #listeners = new Set<CommitListener>();
  #waiting: WaitingUnit[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  #counters: StoreCounters = { transactions: 0, units: 0, failed: 0 };

  constructor(writer: Writer, clock: Clock) {
    this.#writer = writer;
    this.#clock = clock;
  }

  get counters(): StoreCounters {
    return this.#counters;
  }

  onCommit(listener: CommitListener): void {
    this.#listeners.add(listener);
  }

  commit(writes: readonly Write[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new HoldfastError('store.unavailable', { reason: 'closed' });
      if (this.#waiting.length >= MAX_WAITING) {
        throw new HoldfastError('store.unavailable', { reason: 'too many units wait', limit: MAX_WAITING });
      }
      this.#waiting.push({ unit: { at: this.#clock.now(), writes: toStoreWrites(writes) }, resolve, reject });
      this.#running ??= this.#drain();
    });
  }

  /** Folds the write-ahead log into the file; what was deleted is then in neither. */
  async checkpoint(): Promise<void> {
    await this.#writer.checkpoint();
  }

  /** Commits what waits, then refuses. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    // One turn later, so that units asked for in the same turn share the first transaction.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.#writer.maxBatch);
      this.#waiting = this.#waiting.slice(batch.length);
      await this.#run(batch);
    }
    this.#running = undefined;
  }

  async #run(batch: readonly WaitingUnit[]): Promise<void> {
    try {
      this.#settle(batch, await this.#writer.run(batch.map(({ unit }) => unit)));
    } catch (error) {
      const failure = toHoldfastError(error);
      for (const { reject } of batch) reject(failure);
    }
  }

  #settle(batch: readonly WaitingUnit[], result: BatchResult): void {
    const failed = result.failures.reduce((sum, failure) => sum + (failure ? 1 : 0), 0);
    const { transactions, units, failed: before } = this.#counters;
    this.#counters = {
      transactions: transactions + (result.committed ? 1 : 0),
      units: units + batch.length - failed,
      failed: before + failed,
    };
    if (result.committed) for (const listener of this.#listeners) listener(result);
    for (const [at, { resolve, reject }] of batch.entries()) {
      const failure = result.failures[at];
      if (failure) reject(new HoldfastError(failure.code, failure.details));
      else resolve();
    }
  }
}
