import type { Log } from '@holdfast/kernel';

export interface Alarm {
  readonly code: string;
  readonly words: string;
}

/** What an operator must know now: shown by status, doctor and the console until it is over. */
export class Alarms {
  readonly #log: Log;
  readonly #raised = new Map<string, Alarm>();

  constructor(log: Log) {
    this.#log = log;
  }

  raise(code: string, words: string): void {
    if (this.#raised.get(code)?.words !== words) this.#log.error(words, { alarm: code });
    this.#raised.set(code, { code, words });
  }

  clear(code: string): void {
    if (this.#raised.delete(code)) this.#log.info('an alarm is over', { alarm: code });
  }

  list(): readonly Alarm[] {
    return [...this.#raised.values()];
  }
}
