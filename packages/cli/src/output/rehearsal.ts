import type { Rehearsal } from '@holdfast/api';
import type { CommandIo } from './io.ts';
import { formatFacts, formatTable } from './table.ts';

type Reported = NonNullable<Rehearsal['report']>;
type ShownReport = Omit<Reported, 'steps'> & { readonly steps: readonly Reported['steps'][number][] };

/** A report as a table of its steps below its facts. */
export function rehearsalTable(report: ShownReport, io: CommandIo): string {
  const { chip, strategy, result, steps, cuts, seed, seconds } = report;
  const facts = [
    ['rehearsal', result],
    ['chip', chip && `${chip}, ${strategy ?? ''}`],
    ['power cuts', cuts],
    ['seed', seed],
    ['seconds', seconds],
  ] as const;
  return (
    formatFacts(facts, io) +
    formatTable(
      steps,
      [
        { title: 'STEP', value: (row) => row.kind },
        { title: 'NAME', value: (row) => row.name },
        { title: 'RESULT', value: (row) => row.result },
        { title: 'CUTS', value: (row) => row.cuts },
        { title: 'CODE', value: (row) => row.code },
        { title: 'BECAUSE', value: (row) => row.words },
      ],
      io,
    )
  );
}
