import type { Soak, SoakReport } from '../soak.ts';
import { makeSpecimens } from './specimens.ts';
import { tryMutants } from './trial.ts';

const PER_FORMAT = 20_000;

function run(count: number | undefined, seed: number, say: (line: string) => void): Promise<SoakReport> {
  const specimens = makeSpecimens();
  const totals = { mutants: 0, refused: 0, unprotected: 0 };
  const faults: string[] = [];
  for (const specimen of specimens) {
    const alike = specimens.filter(({ format }) => format === specimen.format).length;
    const trial = tryMutants(specimen, Math.ceil((count ?? PER_FORMAT) / alike), seed);
    say(
      `${specimen.format} ${specimen.name}: ${trial.tried} mutants, ${trial.refused} refused, ${trial.unprotected} unprotected`,
    );
    totals.mutants += trial.tried;
    totals.refused += trial.refused;
    totals.unprotected += trial.unprotected;
    faults.push(...trial.faults);
  }
  const formats = new Set(specimens.map(({ format }) => format)).size;
  return Promise.resolve({ facts: { formats, images: specimens.length, ...totals }, faults });
}

export const imageMutants: Soak = {
  name: 'image-mutants',
  words: 'signed images of every format with one bit, number, length, entry or order changed; --count is per format',
  run,
};
