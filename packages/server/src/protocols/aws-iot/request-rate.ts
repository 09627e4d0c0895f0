import { type Clock, HoldfastError } from '@holdfast/kernel';

export interface RateLimit {
  /** Requests a connection may make at once. */
  readonly burst: number;
  /** Requests a second after that. */
  readonly perSecond: number;
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

  /** @throws `update.rate_limited` */
  take(connectionId: string): void {
    const { burst, perSecond } = this.#limit;
    const now = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(connectionId) ?? { left: burst, at: now };
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) * perSecond) / 1000);
    bucket.at = now;
    this.#buckets.delete(connectionId);
    this.#buckets.set(connectionId, bucket);
    if (this.#buckets.size > MAX_BUCKETS) this.#dropStalest();
    if (bucket.left < 1) throw new HoldfastError('update.rate_limited');
    bucket.left -= 1;
  }

  #dropStalest(): void {
    for (const connectionId of this.#buckets.keys()) {
      this.#buckets.delete(connectionId);
      return;
    }
  }
}
