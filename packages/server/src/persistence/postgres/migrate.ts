import type { Client, ClientConfig } from 'pg';
import { HoldfastError } from '@holdfast/kernel';
import { fromPostgres } from '../dialects/postgres-errors.ts';
import { type CompiledMigration, missingOf } from '../migrate.ts';
import { connect } from './connect.ts';

/** Held by the node that migrates; others wait, then find nothing to do. */
const LOCK = 'SELECT pg_advisory_xact_lock(7235419, 2)';
const OLDEST = 150_000;
/** Without these PostgreSQL may forget what it acknowledged. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['fsync', 'on'],
  ['full_page_writes', 'on'],
  ['server_encoding', 'UTF8'],
];

/**
 * Looks at the database and applies what is missing of the schema, all in one transaction.
 *
 * @throws `store.unsuitable`, `store.newer`, `store.migration_changed`, `store.unavailable`
 */
export async function migratePostgres(config: ClientConfig, migrations: readonly CompiledMigration[]): Promise<void> {
  let client: Client | undefined;
  try {
    // A step over a large table takes its time.
    client = await connect({ ...config, statement_timeout: false, query_timeout: 0 });
    await inspect(client);
    await client.query('BEGIN');
    await client.query(LOCK);
    await client.query('CREATE TABLE IF NOT EXISTS migrations (id TEXT PRIMARY KEY, checksum TEXT NOT NULL)');
    const { rows } = await client.query<{ id: string; checksum: string }>('SELECT id, checksum FROM migrations');
    for (const { id, statements, checksum } of missingOf(rows, migrations)) {
      for (const statement of statements) await client.query(statement);
      await client.query('INSERT INTO migrations (id, checksum) VALUES ($1, $2)', [id, checksum]);
    }
    await client.query('COMMIT');
  } catch (error) {
    throw fromPostgres(error);
  } finally {
    await client?.end().catch(() => undefined);
  }
}

async function inspect(client: Client): Promise<void> {
  const names = ['server_version_num', ...SETTINGS.map(([name]) => name)];
  const { rows } = await client.query<Record<string, string>>(
    `SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`,
  );
  const found = rows[0] ?? {};
  if (Number(found['server_version_num']) < OLDEST) {
    throw new HoldfastError('store.unsuitable', { setting: 'server_version_num', found: found['server_version_num'] });
  }
  for (const [setting, wanted] of SETTINGS) {
    if (found[setting] !== wanted)
      throw new HoldfastError('store.unsuitable', { setting, found: found[setting], wanted });
  }
}
