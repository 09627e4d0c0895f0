import type { ImportDevice } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import { readTable, readText } from '../tables/table-file.ts';
import type { TableForm } from './export-registry.ts';
import { COLUMN_NAMES, rowOfCsv, rowOfJson } from './registry-columns.ts';

export interface ImportLine {
  readonly line: number;
  readonly row: ImportDevice;
}

const MAX_ROWS = 1000;
/** Well below what the server takes in one body. */
const MAX_CHARACTERS = 1_000_000;
const MAX_LINE = 256 * 1024;

/** The rows of a file in parts that fit one request. @throws `cli.bad_table`, `cli.file_unusable` */
export async function* importParts(file: string, form: TableForm): AsyncGenerator<readonly ImportLine[]> {
  let part: ImportLine[] = [];
  let characters = 0;
  for await (const line of importLines(file, form)) {
    part.push(line);
    characters += JSON.stringify(line.row).length;
    if (part.length < MAX_ROWS && characters < MAX_CHARACTERS) continue;
    yield part;
    part = [];
    characters = 0;
  }
  if (part.length > 0) yield part;
}

async function* importLines(file: string, form: TableForm): AsyncGenerator<ImportLine> {
  if (form === 'csv') {
    const columns = { known: COLUMN_NAMES, required: ['id', 'product'] };
    for await (const { line, values } of readTable(file, columns)) yield { line, row: rowOfCsv(values, line) };
    return;
  }
  let line = 0;
  for await (const text of readLines(file)) {
    line += 1;
    yield { line, row: rowOfJson(text, line) };
  }
}

async function* readLines(file: string): AsyncGenerator<string> {
  let rest = '';
  let line = 1;
  for await (const text of readText(file)) {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    line += parts.length;
    if (rest.length > MAX_LINE) throw new HoldfastError('cli.bad_table', { line, reason: 'a line of over 256 KiB' });
  }
  if (rest !== '') yield rest;
}
