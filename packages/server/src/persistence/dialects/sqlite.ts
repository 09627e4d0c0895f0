import { DummyDriver, type Dialect, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { ColumnTypes } from '../migrate.ts';

/** Kysely as a compiler only: it never holds a connection, so a query built with it cannot run by itself. */
export const SQLITE_COMPILER: Dialect = {
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
};

/** What a migration writes for each portable column type. */
export const SQLITE_TYPES: ColumnTypes = {
  integer: 'INTEGER',
  text: 'TEXT',
  blob: 'BLOB',
  counted: ' STRICT',
  keyed: ' STRICT, WITHOUT ROWID',
};

/**
 * Set on the writing connection, in this order.
 *
 * `synchronous = FULL` makes COMMIT in WAL mode wait for fsync. `secure_delete` overwrites what a DELETE frees, so
 * that a destroyed wrapped key does not stay in a free page. `trusted_schema` and `cell_size_check` are SQLite's
 * advice for files that may have been altered (sqlite.org/security.html).
 */
export const SQLITE_WRITER_PRAGMAS: readonly string[] = [
  'PRAGMA busy_timeout = 5000',
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA secure_delete = ON',
  'PRAGMA trusted_schema = OFF',
  'PRAGMA cell_size_check = ON',
  'PRAGMA journal_size_limit = 67108864',
];

export const SQLITE_READER_PRAGMAS: readonly string[] = [
  'PRAGMA busy_timeout = 5000',
  'PRAGMA query_only = ON',
  'PRAGMA trusted_schema = OFF',
  'PRAGMA cell_size_check = ON',
];
