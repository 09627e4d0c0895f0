import path from 'node:path';
import { alternate, atLeast, type Bench, type BenchReport } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { runWorkload } from '../harness/processes.ts';
import { hasOpenssl, publicKeySpeed } from '../peers/openssl.ts';

interface Cost {
  readonly cpuMicros: number;
  readonly seconds: number;
  readonly operations: number;
}

export const issuance: Bench = {
  name: 'issuance',
  words: 'CSR decoded, possession proven, certificate signed, stored durably and audited; 64 devices at once',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const count = effort.size(3000, 200);
      const own = {
        name: 'holdfast',
        measure: async (round: number) => {
          const cost = await runWorkload<Cost>('issuance', {
            folder: path.join(folder, `${round}`),
            count,
            concurrency: 64,
          });
          return { 'CPU µs': cost.cpuMicros / cost.operations, 'a second': cost.operations / cost.seconds };
        },
      };
      const limit = {
        name: 'sign + verify',
        measure: async () => {
          const { signP256, verifyP256 } = await publicKeySpeed();
          return { 'CPU µs': (signP256 + verifyP256) * 1e6, 'a second': 1 / (signP256 + verifyP256) };
        },
      };
      const known = hasOpenssl();
      const rounds = await alternate(effort, known ? [own, limit] : [own]);
      return {
        figures: rounds.figures(),
        targets: known
          ? [atLeast('share of the openssl limit, by CPU', rounds.ratio('CPU µs', 'sign + verify', 'holdfast'), 0.25)]
          : [],
        notes: [...(known ? [] : ['skipped: the limit, no openssl']), 'skipped: step-ca and OpenBao are not installed'],
      };
    }),
};
