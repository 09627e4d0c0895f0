import type { Stranger } from '../stranger.ts';
import { runOutsideSuite } from '../world/outside-suite.ts';
import { postgresBinaries } from '../world/postgres-cluster.ts';
import { debianVersion } from '../world/run-tool.ts';

/** The database of a cluster: every test of what is kept, with PostgreSQL in the place of the embedded store. */
export const postgres: Stranger = {
  name: 'postgresql',
  source: 'Debian',
  deed: 'keeps the records: conformance suite, repositories, journeys, three nodes at once, kill -9 under load, an outage, TLS',
  install: 'apt-get install postgresql',
  version: async () => (postgresBinaries() === undefined ? undefined : debianVersion('postgresql')),
  meet: (_world, report) => runOutsideSuite('postgres', report),
};
