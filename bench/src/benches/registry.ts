import path from 'node:path';
import { alternate, atMost, type Bench, type BenchReport } from '../harness/bench.ts';
import { withFolder } from '../harness/brokers.ts';
import { runWorkload } from '../harness/processes.ts';

interface Cost {
  readonly fillSeconds: number;
  readonly pages: Readonly<Record<string, number>>;
  readonly identify: { readonly without: number; readonly with: number };
}

/** Of a cold handshake with everything behind it, as `connect-cold` reports it. */
const HANDSHAKE_MICROS = 1600;

export const registry: Bench = {
  name: 'registry',
  words:
    'pages of 100 of a registry of 1,000,000 devices beside one of 10,000; a peer identified beside 100,000 revoked',
  run: (effort) =>
    withFolder(async (folder): Promise<BenchReport> => {
      const revoked = effort.size(100_000, 2000);
      const contender = (name: string, devices: number) => ({
        name,
        measure: async (round: number) => {
          const order = { folder: path.join(folder, `${name}-${round}`), devices, revoked, questions: 200 };
          const { pages, identify } = await runWorkload<Cost>('registry', order);
          const rows = Object.entries(pages).map(([page, micros]) => [`CPU µs, ${page}`, micros] as const);
          return {
            ...Object.fromEntries(rows),
            'CPU µs, a peer identified': identify.without,
            'CPU µs, a peer identified beside the revoked': identify.with,
          };
        },
      });
      const rounds = await alternate(effort, [
        contender('few', effort.size(10_000, 2000)),
        contender('many', effort.size(1_000_000, 10_000)),
      ]);
      const slower = rounds.median('many', 'CPU µs, a peer identified beside the revoked');
      const usual = rounds.median('many', 'CPU µs, a peer identified');
      return {
        figures: rounds.figures(),
        targets: [
          atMost('a page of many beside one of few', rounds.ratio('CPU µs, all', 'many', 'few'), 1.5),
          atMost('the same by state', rounds.ratio('CPU µs, state', 'many', 'few'), 1.5),
          atMost('the same by group', rounds.ratio('CPU µs, group', 'many', 'few'), 1.5),
          atMost(
            `part of a handshake (${HANDSHAKE_MICROS} µs) that ${revoked} revoked certificates cost`,
            (slower - usual) / HANDSHAKE_MICROS,
            0.02,
          ),
        ],
        notes: ['100 devices are in the state and in the group, however many there are'],
      };
    }),
};
