/** How much a run does. */
export interface Effort {
  /** Alternations of all subjects. */
  readonly rounds: number;
  /** One short round: whether everything works, not how fast. */
  readonly smoke: boolean;
  /** Base of every count: `full` normally, `small` in a smoke run. */
  size(full: number, small: number): number;
}

/** Median with the smallest and largest of the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One measured quantity of one subject. */
export interface Figure {
  readonly subject: string;
  readonly metric: string;
  readonly spread: Spread;
}

/** A figure that has a bound. */
export interface Target {
  readonly words: string;
  readonly value: number;
  readonly relation: '<=' | '>=';
  readonly bound: number;
  readonly holds: boolean;
}

export interface BenchReport {
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
  /** What was used, and what was left out and why. */
  readonly notes: readonly string[];
}

export interface Bench {
  readonly name: string;
  readonly words: string;
  run(effort: Effort): Promise<BenchReport>;
}

export type Sample = Readonly<Record<string, number>>;

/** Something measured once a round. */
export interface Contender {
  readonly name: string;
  readonly measure: (round: number) => Promise<Sample>;
}

export function effortOf(rounds: number, smoke: boolean): Effort {
  return { rounds: smoke ? 1 : rounds, smoke, size: (full, small) => (smoke ? small : full) };
}

/** Every contender once a round, in turn, so that a change of the machine's load meets all of them. */
export async function alternate(effort: Effort, contenders: readonly Contender[]): Promise<Rounds> {
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < effort.rounds; round++) {
    // Every other round begins at the other end: whoever is first may find colder caches.
    const order = round % 2 === 0 ? contenders : [...contenders].reverse();
    for (const { name, measure } of order) samples.get(name)?.push(await measure(round));
  }
  return new Rounds(samples);
}

/** The samples of all rounds. */
export class Rounds {
  readonly #samples: ReadonlyMap<string, readonly Sample[]>;

  constructor(samples: ReadonlyMap<string, readonly Sample[]>) {
    this.#samples = samples;
  }

  has(subject: string): boolean {
    return this.#samples.has(subject);
  }

  values(subject: string, metric: string): readonly number[] {
    return (this.#samples.get(subject) ?? []).map((sample) => sample[metric] ?? Number.NaN);
  }

  figures(): readonly Figure[] {
    return [...this.#samples].flatMap(([subject, samples]) =>
      Object.keys(samples[0] ?? {}).map((metric) => ({
        subject,
        metric,
        spread: spreadOf(this.values(subject, metric)),
      })),
    );
  }

  /** Median of the ratios within each round: what changed between rounds cancels out. */
  ratio(metric: string, subject: string, peer: string): number {
    const others = this.values(peer, metric);
    return spreadOf(this.values(subject, metric).map((value, round) => value / (others[round] ?? Number.NaN))).median;
  }

  median(subject: string, metric: string): number {
    return spreadOf(this.values(subject, metric)).median;
  }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

export function atMost(words: string, value: number, bound: number): Target {
  return { words, value, relation: '<=', bound, holds: value <= bound };
}

export function atLeast(words: string, value: number, bound: number): Target {
  return { words, value, relation: '>=', bound, holds: value >= bound };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
