import type { Compilable } from 'kysely';
import { type ArgumentOf, compileOnce, type Statement } from './compiled.ts';

/** A compiled SELECT with its values. */
export interface Read<Row> extends Statement {
  /** Never there: it carries the type of a row. */
  readonly row?: Row;
}

/**
 * Compiles a SELECT at its first use and fills in its values on every one.
 *
 * `build` gets a function that stands for the argument of each name; the arguments must not be looked at in it.
 */
export function defineRead<Args, Row>(
  build: (arg: ArgumentOf<Args>) => Compilable<Row>,
): (args: Readonly<Args>) => Read<Row> {
  let fill: ((args: Args) => Read<Row>) | undefined;
  return (args) => {
    fill ??= compileOnce(build);
    return fill(args);
  };
}

export type Has<Args> = (name: keyof Args & string) => boolean;

/**
 * A SELECT whose text depends on which arguments are given: compiled once for each set of them.
 *
 * @param build - `has` tells whether an argument is not undefined; only then may `arg` be asked for it.
 */
export function defineShapedRead<Args, Row>(
  build: (arg: ArgumentOf<Args>, has: Has<Args>) => Compilable<Row>,
): (args: Readonly<Args>) => Read<Row> {
  const shapes = new Map<string, (args: Args) => Read<Row>>();
  return (args) => {
    const given = Object.entries(args).flatMap(([name, value]) => (value === undefined ? [] : [name]));
    const key = given.sort().join();
    const known = shapes.get(key) ?? compileOnce<Args>((arg) => build(arg, (name) => given.includes(name)));
    shapes.set(key, known);
    return known(args);
  };
}
