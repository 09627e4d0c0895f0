import { HoldfastError } from '@holdfast/kernel';

export interface FairQueueLimits {
  /** Tasks worked on at once. */
  readonly inFlight: number;
  /** Tasks that wait, of one asker and of all. */
  readonly waitingEach: number;
  readonly waitingAll: number;
}

type Start = () => void;

/** Lets tasks start in turn by asker: one with ten thousand waits in its own line, and the next asker goes between. */
export class FairQueue {
  readonly #limits: FairQueueLimits;
  /** In the order of turns. */
  readonly #lines = new Map<string, Start[]>();
  #inFlight = 0;
  #waiting = 0;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  /** @throws `communication.busy` when the asker's line, or the whole queue, is full */
  async run<Result>(asker: string, task: () => Promise<Result>): Promise<Result> {
    if (this.#inFlight >= this.#limits.inFlight) await this.#turn(asker);
    else this.#inFlight++;
    try {
      return await task();
    } finally {
      this.#next();
    }
  }

  #turn(asker: string): Promise<void> {
    const line = this.#lines.get(asker) ?? [];
    const { waitingAll, waitingEach } = this.#limits;
    if (line.length >= waitingEach || this.#waiting >= waitingAll) throw new HoldfastError('communication.busy');
    this.#waiting++;
    this.#lines.set(asker, line);
    return new Promise((resolve) => {
      line.push(resolve);
    });
  }

  /** The place of the task that ended goes to whose turn it is. */
  #next(): void {
    const [turn] = this.#lines;
    if (turn === undefined) {
      this.#inFlight--;
      return;
    }
    const [asker, line] = turn;
    const start = line.shift();
    this.#lines.delete(asker);
    if (line.length > 0) this.#lines.set(asker, line);
    this.#waiting--;
    start?.();
  }
}
