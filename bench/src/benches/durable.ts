import path from 'node:path';
import { alternate, atLeast, type Bench, type BenchReport } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { runWorkload } from '../harness/processes.ts';

interface Cost {
  readonly cpuMicros: number;
  readonly seconds: number;
  readonly operations: number;
}

export const durableWrites: Bench = {
  name: 'durable-writes',
  words: 'a device row through the repository and the writing thread, each durable before it is acknowledged',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const contender = (name: string, how: 'single' | 'group' | 'raw', count: number) => ({
        name,
        measure: async (round: number) => {
          const location = path.join(folder, `${how}-${round}.db`);
          const cost = await runWorkload<Cost>('durable', { location, how, count });
          return { 'CPU µs': cost.cpuMicros / cost.operations, 'commits a second': cost.operations / cost.seconds };
        },
      });
      const rounds = await alternate(effort, [
        contender('single commits', 'single', effort.size(3000, 300)),
        contender('raw node:sqlite', 'raw', effort.size(3000, 300)),
        contender('256 callers at once', 'group', effort.size(50_000, 3000)),
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
        ],
        notes: ['skipped: PostgreSQL, which is not a dialect yet'],
      };
    }),
};
