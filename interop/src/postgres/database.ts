import { inject } from 'vitest';
import { clientConfig, connect } from '../../../packages/server/src/persistence/postgres/connect.ts';
import { addressOf, TEMPLATE } from './address.ts';

let made = 0;

/** The address of a fresh database. */
export async function freshDatabase(): Promise<string> {
  const first = inject('postgres');
  const name = `t${process.pid}_${(made += 1)}`;
  const client = await connect(clientConfig(addressOf(first)));
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY file_copy`);
  await client.end();
  const url = new URL(first);
  url.pathname = `/${name}`;
  return url.href;
}
