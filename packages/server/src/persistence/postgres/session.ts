import type { Client, QueryResult } from 'pg';
import type { Statement } from '../compiled.ts';
import type { PostgresPhrases } from '../dialects/postgres.ts';

/** What became of one statement of a round trip. */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly changed: number;
      readonly rows: readonly Record<string, unknown>[];
      readonly command: string;
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/** One connection that sends statements without waiting for the answers in between. */
export class PostgresSession {
  readonly #client: Client;
  readonly #phrases: PostgresPhrases;

  constructor(client: Client, phrases: PostgresPhrases) {
    this.#client = client;
    this.#phrases = phrases;
  }

  /** Sends all, then waits for all; after one that failed in a transaction the rest fail too. */
  async send(statements: readonly Statement[]): Promise<readonly Outcome[]> {
    return Promise.all(statements.map((statement) => this.#run(statement)));
  }

  async end(): Promise<void> {
    await this.#client.end();
  }

  async #run(statement: Statement): Promise<Outcome> {
    try {
      const result: QueryResult<Record<string, unknown>> = await this.#client.query(this.#phrases.query(statement));
      return { kind: 'done', changed: result.rowCount ?? 0, rows: result.rows, command: result.command };
    } catch (error) {
      return { kind: 'failed', error };
    }
  }
}

/** The rows of every statement. @throws what the first one that failed met. */
export function rowsOf(outcomes: readonly Outcome[]): readonly (readonly Record<string, unknown>[])[] {
  return outcomes.map((outcome) => {
    if (outcome.kind === 'failed') throw outcome.error;
    return outcome.rows;
  });
}

/** A statement without values. */
export const plain = (sql: string): Statement => ({ sql, parameters: [] });
