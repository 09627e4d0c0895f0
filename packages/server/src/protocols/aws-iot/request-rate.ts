import { type Clock, HoldfastError } from '@holdfast/kernel';

export interface RateLimit {
  /** Requests a connection may make at once. */
  readonly burst: number;
  /** Requests a second after that. */
  readonly perSecond: number;
  /** How long a request over the limit is held back before it is refused; 0 refuses at once. */
  readonly patienceMs?: number;
}

interface Bucket {
  left: number;
  at: number;
}

const MAX_BUCKETS = 65_536;

/** Bounds what one connection asks: a token bucket for each, the stalest dropped first. */
export class RequestRate {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Resolves when the request may go on. @throws `update.rate_limited` when that is too far off */
  async take(connectionId: string): Promise<void> {
    const waitMs = this.#waitOf(connectionId);
    if (waitMs === 0) return;
    await new Promise<void>((resolve) => {
      this.#clock.after(waitMs, resolve);
    });
  }

  /** Every admitted request takes a token, also one that does not exist yet: it waits until it would. */
  #waitOf(connectionId: string): number {
    const { burst, perSecond, patienceMs = 0 } = this.#limit;
    const now = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(connectionId) ?? { left: burst, at: now };
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) * perSecond) / 1000);
    bucket.at = now;
    this.#buckets.delete(connectionId);
    this.#buckets.set(connectionId, bucket);
    if (this.#buckets.size > MAX_BUCKETS) this.#dropStalest();
    const waitMs = Math.max(0, Math.ceil(((1 - bucket.left) * 1000) / perSecond));
    if (waitMs > patienceMs) throw new HoldfastError('update.rate_limited');
    bucket.left -= 1;
    return waitMs;
  }

  #dropStalest(): void {
    for (const connectionId of this.#buckets.keys()) {
      this.#buckets.delete(connectionId);
      return;
    }
  }
}
