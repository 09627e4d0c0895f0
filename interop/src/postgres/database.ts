import { inject } from 'vitest';
import pg from 'pg';
import { TEMPLATE } from './address.ts';

let made = 0;

/** The address of a fresh database. */
export async function freshDatabase(): Promise<string> {
  const first = inject('postgres');
  const name = `t${process.pid}_${(made += 1)}`;
  const url = new URL(first);
  const client = new pg.Client({
    host: url.searchParams.get('host') ?? '',
    port: Number(url.port),
    user: url.username,
    database: 'postgres',
  });
  await client.connect();
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY file_copy`);
  await client.end();
  url.pathname = `/${name}`;
  return url.href;
}
