import { HoldfastError } from '@holdfast/kernel';
import { type Command, InvalidArgumentError } from 'commander';
import { ProgressLine } from '../demo/progress.ts';
import { AnswerIsNo } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson } from '../output/table.ts';
import { stopSignal } from './stop-signal.ts';
import { addConnectionOptions, clientFrom, type GivenOptions } from './verb.ts';

const MAX_PARALLEL = 32;

/** AWS StartThingRegistrationTask from a file here: each line is the parameters of one device. */
export function registerBulk(noun: Command, io: CommandIo): void {
  const bulk = noun
    .command('bulk')
    .description('register a device for each line of a file: JSON of template parameters, its request among them')
    .argument('<file>')
    .requiredOption('--template <name>', 'jitp template whose certificate is a request in the parameters')
    .requiredOption('--results <file>', 'gets a line for each; the same command again goes on where it stopped')
    .option('--parallel <count>', `lines in work at once, 1-${MAX_PARALLEL}`, parallel, 8)
    .option('--json', 'one JSON document');
  addConnectionOptions(bulk).action(async (file: string, options: GivenOptions) => {
    const { runBulk } = await import('../bulk/run-bulk.ts');
    const progress = new ProgressLine(io);
    const signal = stopSignal();
    const summary = await runBulk({
      client: clientFrom(options, io),
      template: String(options['template']),
      file,
      results: String(options['results']),
      parallel: Number(options['parallel']),
      signal,
      onProgress: (done) => progress.show(`${done} lines`),
    }).finally(() => progress.clear());
    const { lines, registered, skipped, failed } = summary;
    io.out(
      options['json'] === true
        ? formatJson(summary)
        : formatFacts(
            [
              ['lines', lines],
              ['registered', registered],
              ['done before', skipped],
              ['failed', failed],
            ],
            io,
          ),
    );
    if (signal.aborted) throw new HoldfastError('kernel.aborted', { lines });
    if (failed > 0) io.err(`${failed} lines failed; ${String(options['results'])} says why\n`);
    if (failed > 0) throw new AnswerIsNo();
  });
}

function parallel(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_PARALLEL) throw new InvalidArgumentError(`1 to ${MAX_PARALLEL} are expected.`);
  return count;
}
