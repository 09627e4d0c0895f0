/** Tokens a bucket holds at most, and how many come back each second. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  at: number;
  refused: boolean;
}

const MAX_KEYS = 10_000;

/** Token buckets by key; a bucket that is full again is forgotten. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** `refused-first` opens a row of refusals: what an alarm is made of. */
  take(key: string, nowMs: number): 'taken' | 'refused' | 'refused-first' {
    const bucket = this.#filled(key, nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_KEYS) this.#dropFull(nowMs);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      bucket.refused = false;
      return 'taken';
    }
    const first = !bucket.refused;
    bucket.refused = true;
    return first ? 'refused-first' : 'refused';
  }

  /** Undoes one `take` of something that turned out to be no burden. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#rate.burst, bucket.tokens + 1);
  }

  #filled(key: string, nowMs: number): Bucket {
    const { burst, perSecond } = this.#rate;
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: nowMs, refused: false };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.at) / 1000) * perSecond);
    bucket.at = nowMs;
    return bucket;
  }

  #dropFull(nowMs: number): void {
    for (const key of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_KEYS) return;
      if (this.#filled(key, nowMs).tokens >= this.#rate.burst) this.#buckets.delete(key);
      else return;
    }
  }
}

/** Whom an address stands for: whoever has one IPv6 address has the 2^64 of its network (RFC 6177). */
export function siteOf(address: string): string {
  if (!address.includes(':') || /^::ffff:\d+\./i.test(address)) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::', 2) ?? [];
  const front = head === '' ? [] : head.split(':');
  const back = tail ? tail.split(':') : [];
  const missing = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: missing }, () => '0'), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
