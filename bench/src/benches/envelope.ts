import { alternate, atLeast, type Bench, type BenchReport, type Contender } from '../harness/bench.ts';
import { runWorkload } from '../harness/processes.ts';
import { bulkSpeed, hasOpenssl } from '../peers/openssl.ts';

const MIB = 1024 * 1024;

interface Rates {
  readonly sealMiB: number;
  readonly openMiB: number;
  readonly records: number;
}

export const envelope: Bench = {
  name: 'envelope',
  words:
    'AES-256-GCM with a fresh data key: 64 MiB as a stream; records of 256 bytes, each with its own key wrapped and committed to',
  run: async (effort): Promise<BenchReport> => {
    const own: Contender = {
      name: 'holdfast',
      measure: async () => {
        const rates = await runWorkload<Rates>('envelope', {
          size: effort.size(64, 8) * MIB,
          records: effort.size(10_000, 500),
        });
        return {
          'seal MiB a CPU second': rates.sealMiB,
          'open MiB a CPU second': rates.openMiB,
          'records a CPU second': rates.records,
        };
      },
    };
    const openssl: Contender = {
      name: 'openssl',
      measure: async () => ({ 'seal MiB a CPU second': (await bulkSpeed('aes-256-gcm', MIB)) / MIB }),
    };
    const rounds = await alternate(effort, hasOpenssl() ? [own, openssl] : [own]);
    return {
      figures: rounds.figures(),
      targets: rounds.has('openssl')
        ? [
            atLeast(
              'sealing rate beside openssl speed',
              rounds.ratio('seal MiB a CPU second', 'holdfast', 'openssl'),
              0.8,
            ),
          ]
        : [],
      notes: [
        'skipped: records under a cached data key, which no kind of object uses',
        ...(hasOpenssl() ? [] : ['skipped: no openssl']),
      ],
    };
  },
};
