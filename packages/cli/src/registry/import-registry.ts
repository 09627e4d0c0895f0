import type { ApiClient, ImportResult } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { TableForm } from './export-registry.ts';
import { importParts } from './import-file.ts';
import { NameBook } from './name-book.ts';

export interface ImportPorts {
  readonly client: ApiClient;
  readonly onProgress: (words: string) => void;
  /** Told of the first rows that are refused. */
  readonly onRefused: (line: number, result: ImportResult) => void;
}

export type ImportCounts = Readonly<Record<ImportResult['outcome'], number>>;

const MAX_NAMED = 20;

/**
 * Judges every row of a file, and brings them in when none is refused.
 *
 * @param dryRun - judge only.
 * @throws `cli.bad_table`; `cli.rows_refused` before anything is written; `cli.import_incomplete` when the registry
 * changed meanwhile
 */
export async function importRegistry(
  { file, form, dryRun }: { readonly file: string; readonly form: TableForm; readonly dryRun: boolean },
  ports: ImportPorts,
): Promise<ImportCounts> {
  const judged = await pass(file, form, false, ports);
  const { refused } = judged;
  if (refused > 0) throw new HoldfastError('cli.rows_refused', { refused, of: total(judged) });
  if (dryRun) return judged;
  const done = await pass(file, form, true, ports);
  if (done.refused > 0) throw new HoldfastError('cli.import_incomplete', { refused: done.refused, of: total(done) });
  return done;
}

async function pass(file: string, form: TableForm, apply: boolean, ports: ImportPorts): Promise<ImportCounts> {
  const counts = { created: 0, changed: 0, unchanged: 0, refused: 0 };
  const names = new NameBook();
  for await (const part of importParts(file, form)) {
    if (!apply) for (const { line, row } of part) names.note(line, row.id, row.serial ?? row.id);
    const body = { rows: part.map(({ row }) => row), apply };
    const { results } = await ports.client.call('registry.import', { body });
    for (const [at, result] of results.entries()) {
      counts[result.outcome] += 1;
      if (result.outcome === 'refused' && counts.refused <= MAX_NAMED) ports.onRefused(part[at]?.line ?? 0, result);
    }
    ports.onProgress(`${apply ? 'brought in' : 'judged'} ${total(counts)}`);
  }
  return counts;
}

function total(counts: ImportCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
