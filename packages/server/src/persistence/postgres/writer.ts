import { type Clock, type ErrorDetails, HoldfastError, type ErrorCode } from '@holdfast/kernel';
import { assembleTree, appendLeaf, spansOf } from '@holdfast/trust/audit/growth';
import type { ClientConfig } from 'pg';
import type { Statement } from '../compiled.ts';
import { PostgresPhrases } from '../dialects/postgres.ts';
import { fromPostgres, REPEATED, stateOf } from '../dialects/postgres-errors.ts';
import { growLogs, LOG_ENDS, type LogEnds, lastEventOf, type LogState, readSpan } from '../log-growth.ts';
import type { Opened, Writer } from '../writer.ts';
import type { BatchResult, Unit, UnitFailure } from '../writer-core.ts';
import { connect } from './connect.ts';
import { Outage } from './outage.ts';
import { type Outcome, PostgresSession, plain, rowsOf } from './session.ts';

const ATTEMPTS = 4;
/** Leaves another node added that are read one by one; beyond it the tree is assembled anew. */
const CATCH_UP = 1024;

/** Whoever numbers events and audit entries holds it until commit: their order is the order of commits, without gaps. */
const LOCK_LOGS = plain('SELECT pg_advisory_xact_lock(7235419, 1)');
const NOTIFY: Statement = { sql: 'SELECT pg_notify(?, ?)', parameters: ['holdfast_events', ''] };
const ENDS = plain(LOG_ENDS);
const [BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, UNDO] = [
  'BEGIN ISOLATION LEVEL READ COMMITTED',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT unit',
  'RELEASE SAVEPOINT unit',
  'ROLLBACK TO SAVEPOINT unit',
].map(plain) as [Statement, Statement, Statement, Statement, Statement, Statement];

/** Nothing of the batch was kept, and it may pass the next time. */
class Repeat extends Error {}

/** The one connection of this node that writes. A batch is one transaction, of two round trips when nothing fails. */
export class PostgresWriter implements Writer {
  readonly maxBatch = 1024;
  readonly #config: ClientConfig;
  readonly #outage: Outage;
  readonly #phrases = new PostgresPhrases();
  #session: PostgresSession | undefined;
  #logs: LogState | undefined;
  #opened: Opened = { lastEvent: 0, auditSize: 0 };

  private constructor(config: ClientConfig, clock: Clock) {
    this.#config = { ...config, pipeline: true };
    this.#outage = new Outage(clock);
  }

  /** @throws `store.unavailable`, `store.corrupt` */
  static async open(config: ClientConfig, clock: Clock): Promise<PostgresWriter> {
    const writer = new PostgresWriter(config, clock);
    const { lastEvent, tree } = await writer.#readLogs();
    writer.#opened = { lastEvent, auditSize: tree.size };
    return writer;
  }

  get opened(): Opened {
    return this.#opened;
  }

  async run(units: readonly Unit[]): Promise<BatchResult> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#runBatch(units, attempt > 1);
      } catch (error) {
        if (error instanceof Repeat && attempt < ATTEMPTS) continue;
        return this.#result(
          units.map(() => describe(error)),
          false,
        );
      }
    }
  }

  /** Nothing: what was deleted leaves PostgreSQL's pages by vacuum and its log by age, at no one's bidding. */
  async checkpoint(): Promise<void> {}

  async close(): Promise<void> {
    await this.#session?.end().catch(() => undefined);
  }

  /** All at once first; when a guard fails, once more with a savepoint for each unit. */
  async #runBatch(units: readonly Unit[], careful: boolean): Promise<BatchResult> {
    const session = await this.#connected();
    try {
      const written = careful ? undefined : await this.#together(session, units);
      return written ?? (await this.#oneByOne(session, units));
    } catch (error) {
      await this.#recover(session, error);
      throw REPEATED.has(stateOf(error)) ? new Repeat() : error;
    }
  }

  /** @returns undefined when a unit failed, with nothing written. */
  async #together(session: PostgresSession, units: readonly Unit[]): Promise<BatchResult | undefined> {
    const opening = openingOf(units);
    const writes = units.flatMap(sqlOf);
    const outcomes = await session.send([...opening, ...writes]);
    const failed = writes.findIndex(({ expectRows }, at) => !holds(outcomes[opening.length + at], expectRows));
    if (failed !== -1) {
      rowsOf(await session.send([ROLLBACK]));
      return undefined;
    }
    let logs = await this.#logsOf(session, rowsOf(outcomes.slice(0, opening.length)).at(2));
    const statements: Statement[] = [];
    for (const { at, writes: all } of units) {
      if (logs === undefined) break;
      const grown = growLogs(logs, all, at);
      statements.push(...grown.statements);
      logs = grown.state;
    }
    return this.#commit(session, { statements, logs, failures: units.map(() => undefined) });
  }

  async #oneByOne(session: PostgresSession, units: readonly Unit[]): Promise<BatchResult> {
    const opening = rowsOf(await session.send(openingOf(units)));
    let logs = await this.#logsOf(session, opening.at(2));
    const failures: UnitFailure[] = [];
    const statements: Statement[] = [];
    for (const unit of units) {
      const failure = await runUnit(session, unit);
      failures.push(failure);
      if (failure !== undefined || logs === undefined) continue;
      const grown = growLogs(logs, unit.writes, unit.at);
      statements.push(...grown.statements);
      logs = grown.state;
    }
    if (failures.includes(undefined)) return this.#commit(session, { statements, logs, failures });
    rowsOf(await session.send([ROLLBACK]));
    return this.#result(failures, false);
  }

  async #commit(
    session: PostgresSession,
    batch: {
      readonly statements: readonly Statement[];
      readonly logs: LogState | undefined;
      readonly failures: readonly UnitFailure[];
    },
  ): Promise<BatchResult> {
    const { statements, logs, failures } = batch;
    const hasEvents = logs !== undefined && logs.lastEvent !== this.#logs?.lastEvent;
    const outcomes = await session.send([...statements, ...(hasEvents ? [NOTIFY] : []), COMMIT]);
    const end = outcomes.at(-1);
    rowsOf(outcomes);
    // COMMIT of a transaction that failed is answered ROLLBACK.
    if (end?.kind !== 'done' || end.command !== 'COMMIT')
      throw new HoldfastError('store.unavailable', { reason: 'not committed' });
    if (logs !== undefined) this.#logs = logs;
    return this.#result(failures, true);
  }

  /** Where the logs stand now that the lock is held; undefined when the batch adds nothing to them. */
  async #logsOf(
    session: PostgresSession,
    rows: readonly Record<string, unknown>[] | undefined,
  ): Promise<LogState | undefined> {
    if (rows === undefined) return undefined;
    const ends = rows[0] as unknown as LogEnds;
    this.#logs = await catchUp(session, this.#logs, ends);
    return this.#logs;
  }

  async #readLogs(): Promise<LogState> {
    try {
      const session = await this.#connected();
      const [rows] = rowsOf(await session.send([ENDS]));
      return (this.#logs = await catchUp(session, undefined, rows?.[0] as unknown as LogEnds));
    } catch (error) {
      throw fromPostgres(error);
    }
  }

  async #connected(): Promise<PostgresSession> {
    if (this.#session !== undefined) return this.#session;
    this.#outage.check();
    try {
      const client = await connect(this.#config);
      const session = new PostgresSession(client, this.#phrases);
      client.once('end', () => this.#forget(session));
      // Whoever set up the database may have traded durability for speed; what we acknowledge is on disk.
      rowsOf(
        await session.send([
          plain(
            "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
          ),
        ]),
      );
      this.#outage.ended();
      return (this.#session = session);
    } catch (error) {
      this.#outage.failed();
      throw error;
    }
  }

  #forget(session: PostgresSession): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    // Another database may answer the next time, such as one restored from a backup.
    this.#logs = undefined;
  }

  /** Ends the transaction; a connection that cannot even do that is dropped. */
  async #recover(session: PostgresSession, error: unknown): Promise<void> {
    const [ended] = await session.send([ROLLBACK]);
    if (ended?.kind === 'done' && fromPostgres(error).code !== 'store.unavailable') return;
    this.#forget(session);
    session.end().catch(() => undefined);
  }

  #result(failures: readonly UnitFailure[], committed: boolean): BatchResult {
    const lastEvent = this.#logs?.lastEvent ?? this.#opened.lastEvent;
    const auditSize = this.#logs?.tree.size ?? this.#opened.auditSize;
    return { failures, lastEvent, auditSize, committed };
  }
}

/** What opens a transaction; the third answer is where the logs end. */
function openingOf(units: readonly Unit[]): readonly Statement[] {
  const isLogged = units.some(({ writes }) => writes.some(({ kind }) => kind !== 'sql'));
  return isLogged ? [BEGIN, LOCK_LOGS, ENDS] : [BEGIN];
}

function sqlOf({ writes }: Unit) {
  return writes.filter((write) => write.kind === 'sql');
}

function holds(outcome: Outcome | undefined, expectRows: number | undefined): boolean {
  return outcome?.kind === 'done' && (expectRows === undefined || outcome.changed === expectRows);
}

async function runUnit(session: PostgresSession, unit: Unit): Promise<UnitFailure> {
  const writes = sqlOf(unit);
  const [, ...outcomes] = await session.send([SAVEPOINT, ...writes]);
  const at = writes.findIndex(({ expectRows }, each) => !holds(outcomes[each], expectRows));
  if (at === -1) {
    rowsOf(await session.send([RELEASE]));
    return undefined;
  }
  const outcome = outcomes[at];
  // A deadlock is not this unit's fault alone: the whole batch begins again.
  if (outcome?.kind === 'failed' && REPEATED.has(stateOf(outcome.error))) throw outcome.error;
  rowsOf(await session.send([UNDO, RELEASE]));
  if (outcome?.kind === 'failed') return describe(outcome.error);
  return { code: 'store.conflict', details: { expected: writes[at]?.expectRows, changed: outcome?.changed } };
}

/** The tree up to `ends`, which other nodes may have grown since. */
async function catchUp(session: PostgresSession, known: LogState | undefined, ends: LogEnds): Promise<LogState> {
  // What consumers have seen counts once only: here a position is a row like others.
  const lastEvent = known === undefined ? lastEventOf(ends) : Math.max(ends.last, known.lastEvent);
  if (known?.tree.size === ends.size) return { lastEvent, tree: known.tree };
  const from =
    known !== undefined && ends.size > known.tree.size && ends.size - known.tree.size <= CATCH_UP ? known : undefined;
  const spans = from === undefined ? spansOf(0, ends.size) : [{ level: 0, start: from.tree.size, end: ends.size }];
  const hashes = rowsOf(await session.send(spans.map(readSpan))).map((rows) =>
    rows.map((row) => row['hash'] as Uint8Array),
  );
  if (from === undefined) return { lastEvent, tree: assembleTree(spans, hashes) };
  return { lastEvent, tree: (hashes[0] ?? []).reduce((tree, leaf) => appendLeaf(tree, leaf).tree, from.tree) };
}

function describe(error: unknown): { readonly code: ErrorCode; readonly details: ErrorDetails } {
  const { code, details } =
    error instanceof Repeat ? new HoldfastError('store.conflict', { reason: 'repeated' }) : fromPostgres(error);
  return { code, details };
}
