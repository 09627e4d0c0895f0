import { HoldfastError } from '@holdfast/kernel';
import type { Compilable } from 'kysely';

export type SqlValue = string | number | bigint | null | Uint8Array;

/** Text with `?` for every value, in order: the one form all stores are given. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

/** Stands for the argument of a name while a query is built; what it gives must not be looked at. */
export type ArgumentOf<Args> = <Name extends keyof Args & string>(name: Name) => Exclude<Args[Name], undefined>;

class Slot {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Compiles a query with empty places; the result fills them in.
 *
 * What is no argument becomes part of the text: SQLite prepares a statement anew for every value of a `?` that the
 * condition of a partial index compares with a constant.
 */
export function compileOnce<Args>(build: (arg: ArgumentOf<Args>) => Compilable): (args: Args) => Statement {
  const { sql, parameters } = build((name) => new Slot(name) as never).compile();
  const parts = sql.split('?');
  const places: (keyof Args)[] = [];
  const text = parameters.map((value, at) => {
    if (!(value instanceof Slot)) return `${parts[at] ?? ''}${literalOf(value as SqlValue)}`;
    places.push(value.name as keyof Args);
    return `${parts[at] ?? ''}?`;
  });
  const whole = text.join('') + (parts.at(-1) ?? '');
  return (args) => ({ sql: whole, parameters: places.map((name) => args[name] as SqlValue) });
}

function literalOf(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string' && !value.includes('?')) return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw new HoldfastError('kernel.internal', { reason: 'a constant of a query' });
}
