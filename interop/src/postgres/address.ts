import { type PostgresAddress, resolvePostgres } from '../../../packages/server/src/persistence/postgres/address.ts';

/** The database others are copied from: its tables are made already. */
export const TEMPLATE = 'holdfast_template';

export function addressOf(store: string): PostgresAddress {
  return resolvePostgres({ store, password: undefined, ca: undefined, plaintext: false, environment: {} });
}
