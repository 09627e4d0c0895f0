import { systemClock } from '@holdfast/kernel';
import type { TestProject } from 'vitest/node';
import { openPostgres } from '../../../packages/server/src/persistence/postgres/open.ts';
import { addressOf, TEMPLATE } from './address.ts';
import { PostgresCluster } from '../world/postgres-cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of its first database, by the socket. */
    postgres: string;
  }
}

/** One PostgreSQL for all files; each makes databases of its own in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await PostgresCluster.start();
  const address = addressOf(cluster.create(TEMPLATE));
  await (await openPostgres({ address, clock: systemClock })).close();
  project.provide('postgres', cluster.url());
  return () => cluster.close();
}
