import type { Stranger } from '../stranger.ts';
import { hasNatsServer } from '../world/nats-server.ts';
import { runOutsideSuite } from '../world/outside-suite.ts';
import { postgresBinaries } from '../world/postgres-cluster.ts';
import { debianVersion } from '../world/run-tool.ts';

/** The bus of a cluster: three servers on one PostgreSQL, with what may break broken. */
export const cluster: Stranger = {
  name: 'nats-server',
  source: 'Debian',
  deed: 'connects three nodes: kill -9 under load, the bus away, a node asleep, revocation everywhere, a rolling restart',
  install: 'apt-get install nats-server postgresql',
  version: async () => (postgresBinaries() !== undefined && hasNatsServer() ? debianVersion('nats-server') : undefined),
  meet: (_world, report) => runOutsideSuite('cluster', report),
};
