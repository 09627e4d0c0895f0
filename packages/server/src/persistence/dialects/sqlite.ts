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
