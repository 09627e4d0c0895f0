import { type Log, toHoldfastError } from '@holdfast/kernel';

interface Closer {
  readonly name: string;
  readonly close: () => Promise<unknown> | void;
}

/** What was opened, closed in reverse; one that fails does not keep the others open. */
export class Closers {
  readonly #log: Log;
  readonly #closers: Closer[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, close: Closer['close']): void {
    this.#closers.push({ name, close });
  }

  async closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        this.#log.error('a part did not close cleanly', { part: closer.name, code: toHoldfastError(error).code });
      }
    }
  }
}
