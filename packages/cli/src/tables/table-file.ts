import { createReadStream } from 'node:fs';
import { HoldfastError } from '@holdfast/kernel';
import { CsvParser, type CsvRecord } from './csv.ts';

/** One row by its columns' names; columns that are empty are left out. */
export interface TableRow {
  readonly line: number;
  readonly values: Readonly<Record<string, string>>;
}

const NAME_LIMIT = 64;

/**
 * Reads a CSV file row by row without holding it; its first line names the columns.
 *
 * @throws `cli.bad_table` with the line; `cli.file_unusable`
 */
export async function* readTable(
  file: string,
  columns: { readonly known: readonly string[]; readonly required: readonly string[] },
): AsyncGenerator<TableRow> {
  let header: readonly string[] | undefined;
  for await (const record of readRecords(file)) {
    if (header === undefined) {
      header = checkHeader(record, columns);
      continue;
    }
    if (record.fields.length === 1 && record.fields[0] === '') throw bad(record, 'an empty line');
    yield { line: record.line, values: valuesOf(record, header) };
  }
  if (header === undefined) throw new HoldfastError('cli.bad_table', { line: 1, reason: 'no column names' });
}

/** Text of a file in parts, of which none is cut inside a character. @throws `cli.bad_table`, `cli.file_unusable` */
export async function* readText(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    for await (const chunk of createReadStream(file)) yield decoder.decode(chunk as Buffer, { stream: true });
    yield decoder.decode();
  } catch (cause) {
    if (HoldfastError.is(cause)) throw cause;
    if (cause instanceof TypeError) throw new HoldfastError('cli.bad_table', { reason: 'not UTF-8' }, { cause });
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}

async function* readRecords(file: string): AsyncGenerator<CsvRecord> {
  const parser = new CsvParser();
  for await (const text of readText(file)) yield* parser.push(text);
  yield* parser.end();
}

function checkHeader(
  record: CsvRecord,
  { known, required }: { readonly known: readonly string[]; readonly required: readonly string[] },
): readonly string[] {
  const { fields } = record;
  const unknown = fields.find((name) => !known.includes(name));
  if (unknown !== undefined) throw bad(record, `unknown column ${printable(unknown)}`);
  const repeated = fields.find((name, at) => fields.indexOf(name) !== at);
  if (repeated !== undefined) throw bad(record, `column ${repeated} twice`);
  const missing = required.find((name) => !fields.includes(name));
  if (missing !== undefined) throw bad(record, `no column ${missing}`);
  return fields;
}

function valuesOf(record: CsvRecord, header: readonly string[]): Readonly<Record<string, string>> {
  if (record.fields.length !== header.length) {
    throw bad(record, `${record.fields.length} fields where the first line names ${header.length}`);
  }
  return Object.fromEntries(header.flatMap((name, at) => (record.fields[at] ? [[name, record.fields[at]]] : [])));
}

function bad({ line }: CsvRecord, reason: string): HoldfastError {
  return new HoldfastError('cli.bad_table', { line, reason });
}

/** A name from a file may not reach a terminal as it is. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, NAME_LIMIT));
}
