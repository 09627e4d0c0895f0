import path from 'node:path';
import { PostgresCluster, postgresBinaries } from '../../../interop/src/world/postgres-cluster.ts';
import { alternate, atLeast, type Bench, type BenchReport } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { runWorkload } from '../harness/processes.ts';

interface Cost {
  readonly cpuMicros: number;
  readonly seconds: number;
  readonly operations: number;
}

interface Stores {
  readonly file: (name: string) => string;
  /** Makes a database; undefined where there is no PostgreSQL. */
  readonly database: ((name: string) => string) | undefined;
}

function withStores(run: (stores: Stores) => Promise<BenchReport>): Promise<BenchReport> {
  return withFolder(async (folder) => {
    const file = (name: string): string => path.join(folder, `${name}.db`);
    if (postgresBinaries() === undefined) return run({ file, database: undefined });
    const cluster = await PostgresCluster.start();
    try {
      return await run({ file, database: (name) => cluster.create(name) });
    } finally {
      await cluster.close();
    }
  });
}

export const durableWrites: Bench = {
  name: 'durable-writes',
  words: 'a device row through the repository and the writing thread, each durable before it is acknowledged',
  run: (effort) =>
    withStores(async (stores): Promise<BenchReport> => {
      const contender = (name: string, how: 'single' | 'group' | 'raw', count: number, place = stores.file) => ({
        name,
        measure: async (round: number) => {
          const location = place(`${how}_${round}`);
          const cost = await runWorkload<Cost>('durable', { location, how, count });
          return { 'CPU µs': cost.cpuMicros / cost.operations, 'commits a second': cost.operations / cost.seconds };
        },
      });
      const rounds = await alternate(effort, [
        contender('single commits', 'single', effort.size(3000, 300)),
        contender('raw node:sqlite', 'raw', effort.size(3000, 300)),
        contender('256 callers at once', 'group', effort.size(50_000, 3000)),
        ...(stores.database === undefined
          ? []
          : [
              contender('PostgreSQL, single', 'single', effort.size(2000, 200), stores.database),
              contender('PostgreSQL, raw pg', 'raw', effort.size(2000, 200), stores.database),
              contender('PostgreSQL, 256 callers', 'group', effort.size(20_000, 2000), stores.database),
            ]),
      ]);
      const rate = 'commits a second';
      return {
        figures: rounds.figures(),
        targets: [
          atLeast(
            'single commits, rate beside raw node:sqlite',
            rounds.ratio(rate, 'single commits', 'raw node:sqlite'),
            0.7,
          ),
          atLeast(
            'group commit, rate beside single commits',
            rounds.ratio(rate, '256 callers at once', 'single commits'),
            5,
          ),
          ...(rounds.has('PostgreSQL, single')
            ? [
                atLeast(
                  'PostgreSQL: single commits, rate beside raw pg',
                  rounds.ratio(rate, 'PostgreSQL, single', 'PostgreSQL, raw pg'),
                  0.7,
                ),
                atLeast(
                  'PostgreSQL: group commit, rate beside single commits',
                  rounds.ratio(rate, 'PostgreSQL, 256 callers', 'PostgreSQL, single'),
                  5,
                ),
              ]
            : []),
        ],
        notes: stores.database === undefined ? ['skipped: PostgreSQL, which is not installed'] : [],
      };
    }),
};
