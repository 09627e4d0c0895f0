import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Compilable } from 'kysely';
import type { Statement } from './compiled.ts';
import { fromSqlite } from './dialects/sqlite-errors.ts';
import type { Read } from './read.ts';
import { Statements } from './statements.ts';

/** What a reader runs: compiled by `defineRead`, or built for this one time. */
export type Readable<Row> = Read<Row> | Compilable<Row>;

/** Reads what is committed. Blobs come as `Uint8Array`, whole numbers as `number`. */
export interface Reader {
  /** @throws `store.unavailable`, `store.corrupt` */
  all<Row>(wanted: Readable<Row>): Promise<readonly Row[]>;
  /** The first row, or undefined. */
  first<Row>(wanted: Readable<Row>): Promise<Row | undefined>;
}

/** Reads over one SQLite connection; a read is synchronous inside and sees one committed state. */
export class SqliteReader implements Reader {
  readonly #statements: Statements;

  constructor(db: DatabaseSync) {
    this.#statements = new Statements(db);
  }

  async all<Row>(wanted: Readable<Row>): Promise<readonly Row[]> {
    return this.#run(wanted, (statement, values) => statement.all(...values) as Row[]);
  }

  async first<Row>(wanted: Readable<Row>): Promise<Row | undefined> {
    return this.#run(wanted, (statement, values) => statement.get(...values) as Row | undefined);
  }

  #run<Row, Result>(
    wanted: Readable<Row>,
    read: (statement: StatementSync, values: Statement['parameters']) => Result,
  ): Result {
    const { sql, parameters } = statementOf(wanted);
    try {
      return read(this.#statements.get(sql), parameters);
    } catch (error) {
      throw fromSqlite(error);
    }
  }
}

export function statementOf<Row>(wanted: Readable<Row>): Statement {
  return 'sql' in wanted ? wanted : (wanted.compile() as Statement);
}
