import path from 'node:path';
import { alternate, atLeast, type Bench, type BenchReport } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { runWorkload } from '../harness/processes.ts';
import { hasOpenssl, publicKeySpeed } from '../peers/openssl.ts';

interface Cost {
  readonly cpuMicros: number;
  readonly operations: number;
}

export const ocspAnswers: Bench = {
  name: 'ocsp',
  words: 'OCSP answers, each with a nonce and so signed for itself, the registry asked for each; without HTTP',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const count = effort.size(4000, 100);
      const own = {
        name: 'holdfast',
        measure: async (round: number) => {
          const parameters = { folder: path.join(folder, `${round}`), count, concurrency: 16 };
          const cost = await runWorkload<Cost>('ocsp', parameters);
          return { 'CPU µs': cost.cpuMicros / cost.operations };
        },
      };
      const limit = {
        name: 'sign',
        measure: async () => ({ 'CPU µs': (await publicKeySpeed()).signP256 * 1e6 }),
      };
      const known = hasOpenssl();
      const rounds = await alternate(effort, known ? [own, limit] : [own]);
      return {
        figures: rounds.figures(),
        targets: known
          ? [atLeast('share of the openssl limit, by CPU', rounds.ratio('CPU µs', 'sign', 'holdfast'), 0.5)]
          : [],
        notes: [
          ...(known ? [] : ['skipped: the limit, no openssl']),
          'skipped: openssl ocsp as a peer; it answers over HTTP alone',
        ],
      };
    }),
};
