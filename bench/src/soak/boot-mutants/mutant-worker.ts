// One mutant: the boot code with one file changed, asked about every case; started by boot-mutants.ts.
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { TrialInput } from './verify-trial.ts';

/** What the worker is told. */
export interface MutantOrder {
  readonly url: string;
  readonly source: string;
  readonly input: TrialInput;
  /** What the unchanged code said. */
  readonly expected: readonly string[];
}

/** The first case in which the mutant shows, and whether it accepted or ran what it must not. */
export interface MutantReport {
  readonly differs: number | undefined;
  readonly wrong: readonly number[];
}

const { url, source, input, expected } = workerData as MutantOrder;

registerHooks({
  load: (target, context, next) =>
    target === url
      ? { format: 'module', source: stripTypeScriptTypes(source), shortCircuit: true }
      : next(target, context),
});

const { observe } = await import('./verify-trial.ts');
const found = observe(input);
const differing = found.flatMap((line, index) => (line === expected[index] ? [] : [index]));
const accepts = (line: string | undefined): boolean => /^(accepted|application) /.test(line ?? '');
const report: MutantReport = {
  differs: differing[0],
  wrong: differing.filter((index) => accepts(found[index]) && !accepts(expected[index])),
};
parentPort?.postMessage(report, []);
