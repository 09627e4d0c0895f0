import type { Clock } from '@holdfast/kernel';
import { RateLimit } from './rate-limit.ts';

const RATE = { burst: 50, perSecond: 1 / 6 };

/** How fast one asker may fill the log with what it was refused: entries stay for ever, and asking costs nothing. */
export class RefusalPace {
  readonly #clock: Clock;
  readonly #rate = new RateLimit(RATE);
  #unlogged = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns details for the entry, which count the refusals left out since the last one; undefined to leave it out */
  take(asker: string): { readonly unlogged?: number } | undefined {
    if (this.#rate.take(asker, this.#clock.monotonicMs()) !== 'taken') {
      this.#unlogged += 1;
      return undefined;
    }
    const unlogged = this.#unlogged;
    this.#unlogged = 0;
    return unlogged === 0 ? {} : { unlogged };
  }
}
