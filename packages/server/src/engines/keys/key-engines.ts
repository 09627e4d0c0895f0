import { type Clock, type EpochMs, equalBytes, HoldfastError, type Timer, toHoldfastError } from '@holdfast/kernel';
import type { KeyEngine, KeySignOrder } from '@holdfast/trust/ports';
import { parseKeyReference, type KeyReference } from './key-reference.ts';

type Kind = KeyReference['kind'];

/** An engine that can be told to forget what hangs. */
export interface ResettableEngine extends KeyEngine {
  reset(): void;
  close(): void;
}

export interface KeyEngineLimits {
  /** One attempt. */
  readonly timeoutMs: number;
  /** Between the first attempt and the second, the last. */
  readonly pauseMs: number;
  /** At the same time, of one kind; as many again times `queue` may wait. */
  readonly atOnce: number;
  readonly queue: number;
  /** After a failure the next is told at once, for so long; then one may try. */
  readonly restMs: number;
  /** How often a key that answers is looked at, and one that does not. */
  readonly lookMs: number;
  readonly lookAgainMs: number;
}

export const KEY_ENGINE_LIMITS: KeyEngineLimits = {
  timeoutMs: 5000,
  pauseMs: 200,
  atOnce: 8,
  queue: 32,
  restMs: 1000,
  lookMs: 30_000,
  lookAgainMs: 2000,
};

export type KeyHealth =
  | { readonly reference: string; readonly kind: 'answers' }
  | { readonly reference: string; readonly kind: 'fails'; readonly since: EpochMs; readonly error: HoldfastError };

interface Key {
  health: KeyHealth;
  /** Monotonic; until then nobody asks again. */
  restsUntil: number;
  lookedAt: number;
  /** SubjectPublicKeyInfo it has to have. */
  expected: Uint8Array | undefined;
  /** Another one lies under its name: that it answers is no comfort. */
  isReplaced: boolean;
}

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

export interface KeyEnginesPorts {
  readonly clock: Clock;
  readonly engines: Readonly<Partial<Record<Kind, ResettableEngine>>>;
  readonly limits?: Partial<KeyEngineLimits>;
}

/**
 * Keys in tokens and services, asked with patience: each attempt has an end, a second follows the first, few are asked
 * at once, and one that is gone is not asked by every device that enrolls.
 */
export class KeyEngines implements KeyEngine {
  readonly #clock: Clock;
  readonly #engines: KeyEnginesPorts['engines'];
  readonly #limits: KeyEngineLimits;
  readonly #keys = new Map<string, Key>();
  readonly #lanes = new Map<Kind, Lane>();
  readonly #listeners = new Set<(health: KeyHealth) => void>();
  readonly #looking: Timer;

  constructor({ clock, engines, limits = {} }: KeyEnginesPorts) {
    this.#clock = clock;
    this.#engines = engines;
    this.#limits = { ...KEY_ENGINE_LIMITS, ...limits };
    this.#looking = clock.every(this.#limits.lookAgainMs, () => this.#look());
  }

  /** Called when a key began to fail, failed otherwise than before, or answers again. */
  onHealth(listener: (health: KeyHealth) => void): void {
    this.#listeners.add(listener);
    for (const { health } of this.#keys.values()) listener(health);
  }

  /** Every key that was ever asked. */
  get health(): readonly KeyHealth[] {
    return [...this.#keys.values()].map(({ health }) => health);
  }

  /**
   * Looks at a key from now on, so that an outage, or another key in its place, is known before somebody needs it.
   *
   * @throws `storage.bad_key_reference`
   */
  watch(reference: string, publicKeySpki: Uint8Array): void {
    parseKeyReference(reference);
    this.#keyOf(reference).expected = publicKeySpki;
  }

  describe(reference: string): Promise<Uint8Array> {
    // Who only asks what a key is may have mistyped: nobody is to be alarmed about that.
    return this.#patiently(reference, this.#keys.get(reference), (engine) => engine.describe(reference));
  }

  sign(order: KeySignOrder): Promise<Uint8Array<ArrayBuffer>> {
    const { reference } = order;
    return this.#patiently(reference, this.#keyOf(reference), (engine) => engine.sign(order));
  }

  close(): void {
    this.#looking.cancel();
    for (const engine of Object.values(this.#engines)) engine.close();
  }

  async #patiently<Result>(
    reference: string,
    key: Key | undefined,
    work: (engine: KeyEngine) => Promise<Result>,
  ): Promise<Result> {
    const { kind } = parseKeyReference(reference);
    if (key?.health.kind === 'fails' && this.#clock.monotonicMs() < key.restsUntil) throw again(key.health.error);
    return this.#inLane(kind, async () => {
      try {
        const result = await this.#twice(kind, work);
        if (key?.isReplaced === false) this.#now(key, { reference, kind: 'answers' });
        return result;
      } catch (caught) {
        const error = toHoldfastError(caught);
        // What cannot be done with a key says nothing of whether it answers.
        if (key !== undefined && error.code !== 'crypto.unsupported_algorithm') this.#fails(key, reference, error);
        throw error;
      }
    });
  }

  #fails(key: Key, reference: string, error: HoldfastError): void {
    key.restsUntil = this.#clock.monotonicMs() + this.#limits.restMs;
    const since = key.health.kind === 'fails' ? key.health.since : this.#clock.now();
    this.#now(key, { reference, kind: 'fails', since, error });
  }

  async #twice<Result>(kind: Kind, work: (engine: KeyEngine) => Promise<Result>): Promise<Result> {
    try {
      return await this.#once(kind, work);
    } catch (error) {
      if (!HoldfastError.is(error, 'storage.key_unavailable')) throw error;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(this.#limits.pauseMs, resolve);
    await promise;
    return this.#once(kind, work);
  }

  async #once<Result>(kind: Kind, work: (engine: KeyEngine) => Promise<Result>): Promise<Result> {
    const engine = this.#engines[kind];
    if (engine === undefined) throw new HoldfastError('storage.key_engine_missing', { kind });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = this.#clock.after(this.#limits.timeoutMs, () => {
      engine.reset();
      reject(new HoldfastError('storage.key_unavailable', { reason: 'timeout' }));
    });
    try {
      return await Promise.race([work(engine), late]);
    } finally {
      timer.cancel();
    }
  }

  async #inLane<Result>(kind: Kind, work: () => Promise<Result>): Promise<Result> {
    const { atOnce, queue } = this.#limits;
    const lane = this.#lanes.get(kind) ?? { running: 0, waiting: [] };
    this.#lanes.set(kind, lane);
    if (lane.waiting.length >= atOnce * queue) throw new HoldfastError('storage.key_unavailable', { reason: 'busy' });
    if (lane.running < atOnce) lane.running += 1;
    else await new Promise<void>((resolve) => lane.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits takes this place over.
      const next = lane.waiting.shift();
      if (next === undefined) lane.running -= 1;
      else next();
    }
  }

  #look(): void {
    const now = this.#clock.monotonicMs();
    for (const [reference, key] of this.#keys) {
      const isRefused = key.health.kind === 'fails' && key.health.error.code !== 'storage.key_unavailable';
      const period = key.health.kind === 'answers' || isRefused ? this.#limits.lookMs : this.#limits.lookAgainMs;
      if (now - key.lookedAt < period) continue;
      key.lookedAt = now;
      key.restsUntil = 0;
      void this.#compare(reference, key);
    }
  }

  async #compare(reference: string, key: Key): Promise<void> {
    try {
      const found = await this.describe(reference);
      key.isReplaced = key.expected !== undefined && !equalBytes(found, key.expected);
      if (!key.isReplaced) this.#now(key, { reference, kind: 'answers' });
      else this.#fails(key, reference, new HoldfastError('storage.key_unavailable', { reason: 'another_key' }));
    } catch {
      // What it failed with is in its health already.
    }
  }

  #keyOf(reference: string): Key {
    const known = this.#keys.get(reference);
    if (known !== undefined) return known;
    const key: Key = {
      health: { reference, kind: 'answers' },
      restsUntil: 0,
      lookedAt: this.#clock.monotonicMs(),
      expected: undefined,
      isReplaced: false,
    };
    this.#keys.set(reference, key);
    return key;
  }

  #now(key: Key, health: KeyHealth): void {
    const former = key.health;
    key.health = health;
    const word = (each: KeyHealth) => (each.kind === 'fails' ? each.error.code : each.kind);
    if (word(former) === word(health)) return;
    for (const listener of this.#listeners) listener(health);
  }
}

/** The same failure, told again without asking: an error of its own, so that its stack is the caller's. */
function again(cause: HoldfastError): HoldfastError {
  return new HoldfastError(cause.code, cause.details, { cause });
}
