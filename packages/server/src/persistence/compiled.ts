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

/** Compiles a query with empty places; the result fills them in. */
export function compileOnce<Args>(build: (arg: ArgumentOf<Args>) => Compilable): (args: Args) => Statement {
  const { sql, parameters } = build((name) => new Slot(name) as never).compile();
  const places = parameters.map((value) => (value instanceof Slot ? (value.name as keyof Args) : undefined));
  const fixed = parameters as readonly SqlValue[];
  return (args) => ({
    sql,
    parameters: places.map((name, at) => (name === undefined ? fixed[at] : args[name]) as SqlValue),
  });
}
