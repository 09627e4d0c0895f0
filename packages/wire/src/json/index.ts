import { HoldfastError, isJsonObject, type JsonValue } from '@holdfast/kernel';

export interface TextRule {
  readonly pattern?: RegExp;
  /** UTF-16 units; 4,096 unless given. */
  readonly max?: number;
}

export interface IntegerRule {
  readonly min?: number;
  readonly max?: number;
}

/**
 * Reads the members of one JSON object by name, each checked; remembers which were read.
 *
 * @throws `wire.malformed` naming the member for a missing, wrong-typed or out-of-range one.
 */
export class JsonFields {
  readonly #members: { readonly [key: string]: JsonValue };
  readonly #path: string;
  readonly #seen = new Set<string>();

  constructor(value: unknown, path: string) {
    if (!isJsonObject(value)) throw new HoldfastError('wire.malformed', { field: path, reason: 'not an object' });
    this.#members = value;
    this.#path = path;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  raw(name: string): JsonValue {
    this.#seen.add(name);
    const value = this.has(name) ? this.#members[name] : undefined;
    if (value === undefined) throw this.#wrong(name, 'missing');
    return value;
  }

  text(name: string, rule: TextRule = {}): string {
    const value = this.raw(name);
    if (typeof value !== 'string') throw this.#wrong(name, 'not text');
    if (value.length > (rule.max ?? 4096)) throw this.#wrong(name, 'too long');
    if (rule.pattern !== undefined && !rule.pattern.test(value)) throw this.#wrong(name, 'form');
    return value;
  }

  integer(name: string, rule: IntegerRule = {}): number {
    const value = this.raw(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#wrong(name, 'not an integer');
    if (value < (rule.min ?? 0) || value > (rule.max ?? Number.MAX_SAFE_INTEGER)) throw this.#wrong(name, 'range');
    return value;
  }

  oneOf<const Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.raw(name);
    const word = words.find((each) => each === value);
    if (word === undefined) throw this.#wrong(name, 'not one of the known words');
    return word;
  }

  object(name: string): JsonFields {
    return new JsonFields(this.raw(name), `${this.#path}.${name}`);
  }

  list(name: string, max: number): readonly JsonValue[] {
    const value = this.raw(name);
    if (!Array.isArray(value)) throw this.#wrong(name, 'not a list');
    if (value.length > max) throw this.#wrong(name, 'too long');
    return value;
  }

  texts(name: string, maxCount: number, rule: TextRule = {}): readonly string[] {
    return this.list(name, maxCount).map((value, index) =>
      new JsonFields({ [index]: value }, name).text(`${index}`, rule),
    );
  }

  /** `read(name)` when the member is there, else undefined. */
  optional<T>(name: string, read: (fields: this, name: string) => T): T | undefined {
    return this.has(name) ? read(this, name) : undefined;
  }

  /** Refuses members nobody read: in signed documents an ignored member is a second meaning. */
  end(): void {
    for (const name of Object.keys(this.#members)) {
      if (!this.#seen.has(name))
        throw new HoldfastError('wire.malformed', { field: this.#path, reason: 'unknown member' });
    }
  }

  #wrong(name: string, reason: string): HoldfastError {
    return new HoldfastError('wire.malformed', { field: `${this.#path}.${name}`, reason });
  }
}
