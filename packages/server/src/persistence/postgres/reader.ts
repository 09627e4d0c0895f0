import type { Clock } from '@holdfast/kernel';
import type { ClientConfig, Pool } from 'pg';
import { PostgresPhrases } from '../dialects/postgres.ts';
import { fromPostgres } from '../dialects/postgres-errors.ts';
import { type Readable, type Reader, statementOf } from '../reader.ts';
import { Outage } from './outage.ts';

/** Connections that read; what else asks waits for one. */
const CONNECTIONS = 8;
const IDLE_MS = 30_000;

/** Reads over a bounded pool of connections that cannot write. */
export class PostgresReader implements Reader {
  readonly #pool: Pool;
  readonly #outage: Outage;
  readonly #phrases = new PostgresPhrases();

  private constructor(pool: Pool, outage: Outage) {
    this.#pool = pool;
    this.#outage = outage;
  }

  static async open(config: ClientConfig, clock: Clock): Promise<PostgresReader> {
    const { default: pg } = await import('pg');
    const outage = new Outage(clock);
    const pool = new pg.Pool({
      ...config,
      max: CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      options: '-c default_transaction_read_only=on',
    });
    // An idle connection that is lost is replaced by the next read.
    pool.on('error', () => undefined);
    return new PostgresReader(pool, outage);
  }

  async all<Row>(wanted: Readable<Row>): Promise<readonly Row[]> {
    this.#outage.check();
    try {
      const { rows } = await this.#pool.query(this.#phrases.query(statementOf(wanted)));
      this.#outage.ended();
      return rows as Row[];
    } catch (error) {
      const failure = fromPostgres(error);
      if (failure.code === 'store.unavailable' && this.#pool.idleCount === 0) this.#outage.failed();
      throw failure;
    }
  }

  async first<Row>(wanted: Readable<Row>): Promise<Row | undefined> {
    return (await this.all(wanted))[0];
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
