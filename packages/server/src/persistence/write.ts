import { HoldfastError } from '@holdfast/kernel';
import type { AuditFact, DomainEvent, Write } from '@holdfast/trust/ports';
import type { Compilable, Insertable } from 'kysely';
import { type ArgumentOf, compileOnce, type SqlValue, type Statement } from './compiled.ts';
import { query, type Schema } from './schema.ts';

/** A compiled INSERT, UPDATE or DELETE. */
export interface SqlWrite extends Write, Statement {
  readonly kind: 'sql';
  /** How many rows it must change; undefined accepts any count. */
  readonly expectRows: number | undefined;
}

/** A fact for the outbox; the writer gives it its sequence. */
export interface EventWrite extends Write {
  readonly kind: 'event';
  readonly event: DomainEvent;
}

/** A fact for the audit log; the writer gives it its sequence and its leaf. */
export interface AuditWrite extends Write {
  readonly kind: 'audit';
  readonly fact: AuditFact;
}

export type StoreWrite = SqlWrite | EventWrite | AuditWrite;

export interface WriteOptions {
  /** A guard: any other count of changed rows rolls the unit back with `store.conflict`. */
  readonly expectRows?: number;
}

/** Turns a built query into a write of a unit of work. */
export function compileWrite(built: Compilable, options: WriteOptions = {}): Write {
  const { sql, parameters } = built.compile();
  const write: SqlWrite = { kind: 'sql', sql, parameters: parameters.map(own), expectRows: options.expectRows };
  return write;
}

/** Copies bytes: passing a view to another thread would copy the whole buffer behind it. */
function own(value: unknown): SqlValue {
  return value instanceof Uint8Array ? new Uint8Array(value) : (value as SqlValue);
}

/**
 * Compiles a query at its first use and fills in its values on every one: for writes of a hot path.
 *
 * `build` gets a function that stands for the argument of each name; the arguments must not be looked at in it.
 */
export function defineWrite<Args extends Readonly<Record<keyof Args, SqlValue>>>(
  build: (arg: ArgumentOf<Args>) => Compilable,
  options: WriteOptions = {},
): (args: Args) => Write {
  let fill: ((args: Args) => Statement) | undefined;
  return (args) => {
    fill ??= compileOnce<Args>(build);
    const { sql, parameters } = fill(args);
    const write: SqlWrite = { kind: 'sql', sql, parameters: parameters.map(own), expectRows: options.expectRows };
    return write;
  };
}

/** An INSERT of one row, compiled once for each set of columns it is given. */
export function defineInsert<Table extends keyof Schema>(table: Table): (row: Insertable<Schema[Table]>) => Write {
  type Row = Readonly<Record<string, SqlValue>>;
  const shapes = new Map<string, (row: Row) => Write>();
  return (row) => {
    const columns = Object.keys(row);
    const shape = columns.join();
    const known =
      shapes.get(shape) ??
      defineWrite<Row>(
        (arg) => query.insertInto(table).values(Object.fromEntries(columns.map((name) => [name, arg(name)])) as never),
        { expectRows: 1 },
      );
    shapes.set(shape, known);
    return known(row);
  };
}

/** @throws `kernel.internal` for a write this store did not make. */
export function toStoreWrites(writes: readonly Write[]): readonly StoreWrite[] {
  for (const { kind } of writes) {
    if (kind !== 'sql' && kind !== 'event' && kind !== 'audit') {
      throw new HoldfastError('kernel.internal', { kind, reason: 'a write of another store' });
    }
  }
  return writes as readonly StoreWrite[];
}
