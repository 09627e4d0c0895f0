import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/kernel';

/** The words of a dialect that a migration may use; everything else in it is the common subset of SQL. */
export interface ColumnTypes {
  /** Whole numbers up to 2^53: counts, flags 0/1, milliseconds since the epoch. */
  readonly integer: string;
  readonly text: string;
  readonly blob: string;
  /** Ends a table whose key is one integer. */
  readonly counted: string;
  /** Ends a table with any other primary key. */
  readonly keyed: string;
}

/** One step of the schema. `id` is `NNNN-<room>`; once released its statements never change. */
export interface Migration {
  readonly id: string;
  readonly statements: (types: ColumnTypes) => readonly string[];
}

export interface CompiledMigration {
  readonly id: string;
  readonly statements: readonly string[];
  /** Hex SHA-256 over the statements. */
  readonly checksum: string;
}

interface AppliedRow {
  readonly id: string;
  readonly checksum: string;
}

/** Orders migrations by id and turns them into data a worker can be given. */
export function compileMigrations(migrations: readonly Migration[], types: ColumnTypes): readonly CompiledMigration[] {
  const compiled = migrations.map(({ id, statements }) => {
    const list = statements(types);
    return { id, statements: list, checksum: createHash('sha256').update(list.join(';\n')).digest('hex') };
  });
  compiled.sort((a, b) => (a.id < b.id ? -1 : 1));
  const twice = compiled.find(({ id }, at) => compiled[at + 1]?.id === id);
  if (twice) throw new HoldfastError('kernel.internal', { migration: twice.id, reason: 'two migrations share an id' });
  return compiled;
}

/**
 * Applies what is missing, each step in one transaction with its record, so that an interruption leaves old or new.
 *
 * @throws `store.newer` when the file holds a step this version does not know;
 * `store.migration_changed` when an applied step is not the one known here.
 */
export function migrate(db: DatabaseSync, migrations: readonly CompiledMigration[]): void {
  db.exec('CREATE TABLE IF NOT EXISTS migrations (id TEXT PRIMARY KEY, checksum TEXT NOT NULL) STRICT, WITHOUT ROWID');
  const applied = db.prepare('SELECT id, checksum FROM migrations').all() as unknown as readonly AppliedRow[];
  for (const migration of missingOf(applied, migrations)) apply(db, migration);
}

/** Steps that were not applied yet. @throws as `migrate` */
export function missingOf(
  applied: readonly AppliedRow[],
  migrations: readonly CompiledMigration[],
): readonly CompiledMigration[] {
  for (const row of applied) {
    const known = migrations.find(({ id }) => id === row.id);
    if (!known) throw new HoldfastError('store.newer', { migration: row.id });
    if (known.checksum !== row.checksum) throw new HoldfastError('store.migration_changed', { migration: row.id });
  }
  const done = new Set(applied.map(({ id }) => id));
  return migrations.filter(({ id }) => !done.has(id));
}

function apply(db: DatabaseSync, { id, statements, checksum }: CompiledMigration): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const statement of statements) db.exec(statement);
    db.prepare('INSERT INTO migrations (id, checksum) VALUES (?, ?)').run(id, checksum);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
