import { chmodSync, closeSync, fsyncSync, openSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, type Log, silentLog } from '@holdfast/kernel';
import { assembleStore, type OpenStore } from './assemble-store.ts';
export type { OpenStore };
import { fromSystem } from '../engines/durable-files.ts';
import { SQLITE_TYPES } from './dialects/sqlite.ts';
import { fromSqlite } from './dialects/sqlite-errors.ts';
import { SQLITE_READER_PRAGMAS } from './dialects/sqlite-pragmas.ts';
import { compileMigrations, type Migration } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { SqliteReader } from './reader.ts';
import { InlineWriter, WorkerWriter } from './writer.ts';

export interface StoreOptions {
  /** Path of the database file, or `:memory:`. */
  readonly location: string;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Upper bound of the file in pages of 4 KiB; undefined leaves it to the disk. */
  readonly maxPages?: number | undefined;
  /** Steps of the schema; all of Holdfast's when absent. */
  readonly migrations?: readonly Migration[] | undefined;
}

/**
 * Opens the record store, creating or migrating it.
 *
 * A file is written by a thread of its own and read here; a store in memory runs the same code on this thread.
 *
 * @throws `store.corrupt`, `store.newer`, `store.migration_changed`, `store.full`, `store.unavailable`
 */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { location, clock, log = silentLog, maxPages, migrations = MIGRATIONS } = options;
  const settings = { location, maxPages, migrations: compileMigrations(migrations, SQLITE_TYPES) };
  if (location === ':memory:') {
    const writer = new InlineWriter(settings);
    const reader = new SqliteReader(writer.core.db);
    return assembleStore({ writer, reader, clock, log, closeReader: async () => undefined });
  }
  makePrivate(location);
  const writer = await WorkerWriter.open(settings);
  const db = openReading(location);
  // The reader first: the last connection to close empties the write-ahead log, and a reader may not.
  return assembleStore({ writer, reader: new SqliteReader(db), clock, log, closeReader: async () => db.close() });
}

/** SQLite gives its side files the mode of the database file, so that is set before it opens it. */
function makePrivate(location: string): void {
  try {
    closeSync(openSync(location, 'a', 0o600));
    chmodSync(location, 0o600);
    // The name of a new file is durable only when its folder is.
    const folder = openSync(path.dirname(location), 'r');
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    throw fromSystem(error, 'opening the record store');
  }
}

function openReading(location: string): DatabaseSync {
  try {
    const db = new DatabaseSync(location, { readOnly: true });
    for (const pragma of SQLITE_READER_PRAGMAS) db.exec(pragma);
    return db;
  } catch (error) {
    throw fromSqlite(error);
  }
}
