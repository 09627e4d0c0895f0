import type { DatabaseSync } from 'node:sqlite';
import type { Compilable } from 'kysely';
import { fromSqlite } from './dialects/sqlite-errors.ts';
import { Statements } from './statements.ts';
import type { SqlValue } from './write.ts';

/** Reads what is committed. Blobs come as `Uint8Array`, whole numbers as `number`. */
export interface Reader {
  /** @throws `store.unavailable`, `store.corrupt` */
  all<Row>(built: Compilable<Row>): Promise<readonly Row[]>;
  /** The first row, or undefined. */
  first<Row>(built: Compilable<Row>): Promise<Row | undefined>;
}

/** Reads over one SQLite connection; a read is synchronous inside and sees one committed state. */
export class SqliteReader implements Reader {
  readonly #statements: Statements;

  constructor(db: DatabaseSync) {
    this.#statements = new Statements(db);
  }

  async all<Row>(built: Compilable<Row>): Promise<readonly Row[]> {
    const { sql, parameters } = built.compile();
    try {
      return this.#statements.get(sql).all(...(parameters as SqlValue[])) as Row[];
    } catch (error) {
      throw fromSqlite(error);
    }
  }

  async first<Row>(built: Compilable<Row>): Promise<Row | undefined> {
    const { sql, parameters } = built.compile();
    try {
      return this.#statements.get(sql).get(...(parameters as SqlValue[])) as Row | undefined;
    } catch (error) {
      throw fromSqlite(error);
    }
  }
}
