import { type Command, Option } from 'commander';
import { ProgressLine } from '../demo/progress.ts';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson } from '../output/table.ts';
import { exportRegistry, type TableForm, WholeFile } from '../registry/export-registry.ts';
import { importRegistry } from '../registry/import-registry.ts';
import { addConnectionOptions, clientFrom, type GivenOptions, pick } from './verb.ts';

const FORMS: readonly TableForm[] = ['csv', 'jsonl'];

export function registerTransfer(noun: Command, io: CommandIo): void {
  registerExport(noun, io);
  registerImport(noun, io);
}

function registerExport(noun: Command, io: CommandIo): void {
  const command = noun
    .command('export')
    .description('write the registry as a table: names, groups, attributes, states, certificate fingerprints')
    .option('--out <file>', 'a new file (default: stdout)')
    .addOption(formOption('by the name of --out, else csv'))
    .option('--product <name>', 'of this product')
    .option('--group <name>', 'in this group')
    .option('--state <state>', 'in this state')
    .option('--prefix <text>', 'whose id begins so');
  addConnectionOptions(command).action(async (options: GivenOptions) => {
    const out = typeof options['out'] === 'string' ? options['out'] : undefined;
    const file = out === undefined ? undefined : new WholeFile(out);
    const progress = new ProgressLine(io);
    const devices = await exportRegistry(
      clientFrom(options, io),
      pick(options, { product: 'product', group: 'group', state: 'state', prefix: 'prefix' }),
      {
        form: formOf(options, out),
        write: (text) => (file === undefined ? io.out(text) : file.write(text)),
        onProgress: (count) => progress.show(`${count} devices`),
      },
    );
    file?.finish();
    progress.clear();
    io.err(`${devices} devices\n`);
  });
}

function registerImport(noun: Command, io: CommandIo): void {
  const command = noun
    .command('import')
    .description('bring the rows of a table into the registry: all are judged first, none gives back what was taken')
    .argument('<file>', 'as exported; what a row leaves out stays as it is')
    .addOption(formOption('by the name of the file, else csv'))
    .option('--dry-run', 'judge the rows and change nothing')
    .option('--json', 'one JSON document');
  addConnectionOptions(command).action(async (file: string, options: GivenOptions) => {
    const progress = new ProgressLine(io);
    const counts = await importRegistry(
      { file, form: formOf(options, file), dryRun: options['dryRun'] === true },
      {
        client: clientFrom(options, io),
        onProgress: (words) => progress.show(words),
        onRefused: (line, { id, code, rule }) => {
          progress.clear();
          io.err(`line ${line}: ${id} is refused: ${[code, rule].filter((word) => word !== undefined).join(', ')}\n`);
        },
      },
    );
    progress.clear();
    const { created, changed, unchanged } = counts;
    io.out(
      options['json'] === true
        ? formatJson({ dryRun: options['dryRun'] === true, created, changed, unchanged })
        : formatFacts(Object.entries({ created, changed, unchanged }), io),
    );
  });
}

function formOption(rule: string): Option {
  return new Option('--format <form>', `csv or jsonl (default: ${rule})`).choices(FORMS);
}

function formOf(options: GivenOptions, file: string | undefined): TableForm {
  const given = FORMS.find((form) => form === options['format']);
  return given ?? (file?.endsWith('.jsonl') === true ? 'jsonl' : 'csv');
}
