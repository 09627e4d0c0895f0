/** What a long run found. */
export interface SoakReport {
  readonly facts: Readonly<Record<string, number | string>>;
  /** Empty when everything held. */
  readonly faults: readonly string[];
}

export interface Soak {
  readonly name: string;
  readonly words: string;
  /** @param count - how many kills, cuts or packets; the soak's own number when undefined */
  run(count: number | undefined, seed: number, say: (line: string) => void): Promise<SoakReport>;
}

/** Small numbers from a seed, so that a run can be repeated. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }
}
