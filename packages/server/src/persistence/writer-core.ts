import { DatabaseSync } from 'node:sqlite';
import { type ErrorCode, type ErrorDetails, HoldfastError } from '@holdfast/kernel';
import { assembleTree, spansOf } from '@holdfast/trust/audit/growth';
import { fromSqlite } from './dialects/sqlite-errors.ts';
import { SQLITE_WRITER_PRAGMAS } from './dialects/sqlite-pragmas.ts';
import { growLogs, LOG_ENDS, type LogEnds, lastEventOf, type LogState, readSpan } from './log-growth.ts';
import { type CompiledMigration, migrate } from './migrate.ts';
import { Statements } from './statements.ts';
import type { SqlWrite, StoreWrite } from './write.ts';

/** One unit of work as the writer gets it. */
export interface Unit {
  /** Milliseconds since the epoch; the time of its events and audit entries. */
  readonly at: number;
  readonly writes: readonly StoreWrite[];
}

/** Why a unit was not written; undefined when it is durable. */
export type UnitFailure = { readonly code: ErrorCode; readonly details: ErrorDetails } | undefined;

export interface BatchResult {
  readonly failures: readonly UnitFailure[];
  /** Sequence of the last outbox event committed so far. */
  readonly lastEvent: number;
  /** Entries of the audit log and their root, 32 bytes. */
  readonly auditSize: number;
  /** Whether a transaction was committed: a batch in which every unit failed commits nothing. */
  readonly committed: boolean;
}

export interface WriterOptions {
  /** A path, or `:memory:`. */
  readonly location: string;
  readonly migrations: readonly CompiledMigration[];
  /** Upper bound of the file in pages of 4 KiB; undefined leaves it to the disk. */
  readonly maxPages?: number | undefined;
}

/** The one connection that writes. Everything waiting is committed at once, each unit in its own savepoint. */
export class WriterCore {
  readonly db: DatabaseSync;
  readonly #statements: Statements;
  #logs: LogState;

  /** @throws `store.corrupt`, `store.newer`, `store.migration_changed`, `store.full`, `store.unavailable` */
  constructor({ location, migrations, maxPages }: WriterOptions) {
    this.db = open(location);
    try {
      for (const pragma of SQLITE_WRITER_PRAGMAS) this.db.exec(pragma);
      if (maxPages !== undefined) this.db.exec(`PRAGMA max_page_count = ${maxPages}`);
      migrate(this.db, migrations);
      this.#statements = new Statements(this.db);
      this.#logs = readLogs(this.#statements);
    } catch (error) {
      this.db.close();
      throw fromSqlite(error);
    }
  }

  /** Runs units in order and returns after COMMIT; a unit whose guard fails is rolled back alone. */
  run(units: readonly Unit[]): BatchResult {
    const before = this.#logs;
    try {
      this.db.exec('BEGIN IMMEDIATE');
      const failures = units.map((unit) => this.#runUnit(unit));
      const committed = failures.includes(undefined);
      this.db.exec(committed ? 'COMMIT' : 'ROLLBACK');
      return this.#result(failures, committed);
    } catch (error) {
      // SQLite itself rolls back on a full disk, an I/O error and corruption, so nothing of the batch is kept.
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      this.#logs = before;
      const failure = describe(fromSqlite(error));
      return this.#result(
        units.map(() => failure),
        false,
      );
    }
  }

  /** Folds the write-ahead log into the file and empties it, so that what was deleted is in neither. */
  checkpoint(): void {
    this.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    try {
      this.db.exec('PRAGMA optimize');
    } catch {
      // It only refreshes statistics, which a full disk or another connection may prevent.
    }
    this.db.close();
  }

  #result(failures: readonly UnitFailure[], committed: boolean): BatchResult {
    const { lastEvent, tree } = this.#logs;
    return { failures, lastEvent, auditSize: tree.size, committed };
  }

  #runUnit({ at, writes }: Unit): UnitFailure {
    this.#statements.get('SAVEPOINT unit').run();
    try {
      for (const write of writes) if (write.kind === 'sql') this.#runSql(write);
      // After the guards: a log entry is made only for what holds.
      const { state, statements } = growLogs(this.#logs, writes, at);
      for (const { sql, parameters } of statements) this.#statements.get(sql).run(...parameters);
      this.#statements.get('RELEASE unit').run();
      this.#logs = state;
      return undefined;
    } catch (error) {
      if (!this.db.isTransaction) throw error;
      this.#statements.get('ROLLBACK TO unit').run();
      this.#statements.get('RELEASE unit').run();
      return describe(fromSqlite(error));
    }
  }

  #runSql({ sql, parameters, expectRows }: SqlWrite): void {
    const { changes } = this.#statements.get(sql).run(...parameters);
    if (expectRows !== undefined && Number(changes) !== expectRows) {
      throw new HoldfastError('store.conflict', { expected: expectRows, changed: Number(changes) });
    }
  }
}

function readLogs(statements: Statements): LogState {
  const ends = statements.get(LOG_ENDS).get() as unknown as LogEnds;
  const spans = spansOf(0, ends.size);
  const hashes = spans.map((span) => {
    const { sql, parameters } = readSpan(span);
    return statements
      .get(sql)
      .all(...parameters)
      .map((row) => row['hash'] as Uint8Array);
  });
  return { lastEvent: lastEventOf(ends), tree: assembleTree(spans, hashes) };
}

function open(location: string): DatabaseSync {
  try {
    return new DatabaseSync(location, { enableForeignKeyConstraints: true });
  } catch (error) {
    throw fromSqlite(error);
  }
}

function describe({ code, details }: HoldfastError): UnitFailure {
  return { code, details };
}
