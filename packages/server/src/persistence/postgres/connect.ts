import { checkServerIdentity } from 'node:tls';
import type { Client, ClientConfig } from 'pg';
import { parserOf } from '../dialects/postgres.ts';
import type { PostgresAddress } from './address.ts';

const CONNECT_MS = 5_000;
/** A statement that takes longer is ended by the server. */
const STATEMENT_MS = 10_000;
/** For a server that does not answer at all. */
const ANSWER_MS = 15_000;
/** A node that stood still in a transaction loses it, and with it the lock that others wait for. */
const IDLE_IN_TRANSACTION_MS = 10_000;

const TYPES = { getTypeParser: parserOf } as unknown as ClientConfig['types'];

/** What every connection is made with. */
export function clientConfig({ host, port, user, database, password, tls }: PostgresAddress): ClientConfig {
  return {
    host,
    port,
    ...(user === undefined ? {} : { user }),
    ...(database === undefined ? {} : { database }),
    // A function, so that nothing that prints the settings prints it, and the driver looks nowhere else.
    password: () => password ?? '',
    ssl: tls === false ? false : tlsOptions(host, tls.ca),
    types: TYPES,
    application_name: 'holdfast',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: ANSWER_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  };
}

function tlsOptions(host: string, ca: string | undefined): Exclude<ClientConfig['ssl'], boolean | undefined> {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    ...(ca === undefined ? {} : { ca }),
  };
}

/** Makes one connection. Its loss is seen by whoever asks it next, never by the process. */
export async function connect(config: ClientConfig): Promise<Client> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.end().catch(() => undefined);
    throw error;
  }
}
