import type { OpenStore, StoreOptions } from '../../../packages/server/src/persistence/open-store.ts';
import { openPostgres } from '../../../packages/server/src/persistence/postgres/open.ts';
import { addressOf } from './address.ts';
import { freshDatabase } from './database.ts';

export type { OpenStore, StoreOptions };

const databases = new Map<string, Promise<string>>();

/** Stands in for the embedded store, so that tests written for it run here: one database for each file, one for each store in memory. */
export async function openStore({ location, ...options }: StoreOptions): Promise<OpenStore> {
  const database = databases.get(location) ?? freshDatabase();
  if (location !== ':memory:') databases.set(location, database);
  return openPostgres({ ...options, address: addressOf(await database) });
}
