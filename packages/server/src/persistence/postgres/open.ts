import { type Clock, type Log, silentLog } from '@holdfast/kernel';
import { assembleStore, type OpenStore } from '../assemble-store.ts';
import { POSTGRES_TYPES } from '../dialects/postgres.ts';
import { compileMigrations, type Migration } from '../migrate.ts';
import { MIGRATIONS } from '../migrations/index.ts';
import type { PostgresAddress } from './address.ts';
import { clientConfig } from './connect.ts';
import { migratePostgres } from './migrate.ts';
import { PostgresReader } from './reader.ts';
import { PostgresWake } from './wake.ts';
import { PostgresWriter } from './writer.ts';

export interface PostgresOptions {
  readonly address: PostgresAddress;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Steps of the schema; all of Holdfast's when absent. */
  readonly migrations?: readonly Migration[] | undefined;
}

/**
 * Opens a record store in PostgreSQL, creating or migrating its tables. Several servers may share one.
 *
 * @throws `store.unavailable`, `store.unsuitable`, `store.newer`, `store.migration_changed`, `store.corrupt`
 */
export async function openPostgres(options: PostgresOptions): Promise<OpenStore> {
  const { address, clock, log = silentLog, migrations = MIGRATIONS } = options;
  const config = clientConfig(address);
  await migratePostgres(config, compileMigrations(migrations, POSTGRES_TYPES));
  const writer = await PostgresWriter.open(config, clock);
  const reader = await PostgresReader.open(config, clock);
  const wake = new PostgresWake(config, clock);
  const opened = assembleStore({
    writer,
    reader,
    clock,
    log,
    wake,
    closeReader: async () => {
      await wake.close();
      await reader.close();
    },
  });
  await wake.open();
  return opened;
}
