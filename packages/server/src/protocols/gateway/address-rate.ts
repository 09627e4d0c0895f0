/** Token buckets, one an address; the address quiet for longest is forgotten first. */
export class AddressRate {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #remembered: number;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(burst: number, perSecond: number, remembered: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#remembered = remembered;
  }

  /** Takes one token. @returns false when there is none. */
  take(address: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(address) ?? { tokens: this.#burst, atMs: nowMs };
    this.#buckets.delete(address);
    const tokens = Math.min(this.#burst, bucket.tokens + (nowMs - bucket.atMs) * this.#perMs);
    this.#buckets.set(address, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
    this.#forget();
    return tokens >= 1;
  }

  #forget(): void {
    for (const address of this.#buckets.keys()) {
      if (this.#buckets.size <= this.#remembered) return;
      this.#buckets.delete(address);
    }
  }
}
