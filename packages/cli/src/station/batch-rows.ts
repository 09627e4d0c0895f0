import { HoldfastError, isJsonObject, parseStrictJson } from '@holdfast/kernel';
import { readTable, type TableRow } from '../tables/table-file.ts';

/** One device of a batch. */
export interface BatchRow {
  /** In the file; 0 for a device named on the command line. */
  readonly line: number;
  readonly serial: string;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
}

const BATCH_COLUMNS = ['serial', 'groups', 'mac', 'attributes'] as const;
const SERIAL = /^[a-zA-Z0-9:_-]{1,128}$/;
const GROUP = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
const MAC = /^[0-9a-f]{2}(?:([:-]?)[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i;
const MAX_ROWS = 100_000;

/**
 * Reads a whole batch file and checks every row before any of them is used.
 *
 * Columns: `serial`; optionally `groups` (separated by spaces), `mac` (kept as an attribute) and `attributes` (a JSON
 * object of texts).
 *
 * @throws `cli.bad_table` with the line of the first row that is wrong; `cli.file_unusable`
 */
export async function readBatch(file: string): Promise<readonly BatchRow[]> {
  const rows: BatchRow[] = [];
  const lineOf = new Map<string, number>();
  for await (const row of readTable(file, { known: BATCH_COLUMNS, required: ['serial'] })) {
    const read = batchRow(row);
    for (const key of [`serial ${read.serial}`, ...(read.attributes['mac'] ? [`mac ${read.attributes['mac']}`] : [])]) {
      const before = lineOf.get(key);
      if (before !== undefined) throw bad(row, `${key.split(' ')[0]} as in line ${before}`);
      lineOf.set(key, row.line);
    }
    if (rows.length === MAX_ROWS) throw bad(row, `more than ${MAX_ROWS} rows`);
    rows.push(read);
  }
  if (rows.length === 0) throw new HoldfastError('cli.bad_table', { reason: 'no rows' });
  return rows;
}

function batchRow(row: TableRow): BatchRow {
  const { serial = '', groups = '', mac, attributes } = row.values;
  if (!SERIAL.test(serial)) throw bad(row, 'a serial number is 1-128 of a-z, A-Z, 0-9, colon, underscore and hyphen');
  const named = groups.split(' ').filter((name) => name !== '');
  if (!named.every((name) => GROUP.test(name))) throw bad(row, 'a group has a sign that is not allowed');
  return {
    line: row.line,
    serial,
    groups: named,
    attributes: {
      ...(attributes === undefined ? {} : attributesOf(row, attributes)),
      ...(mac === undefined ? {} : { mac: macOf(row, mac) }),
    },
  };
}

function attributesOf(row: TableRow, text: string): Readonly<Record<string, string>> {
  try {
    const value = parseStrictJson(text);
    if (isJsonObject(value) && Object.values(value).every((each) => typeof each === 'string')) {
      return value as Readonly<Record<string, string>>;
    }
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
  }
  throw bad(row, 'attributes are a JSON object of texts');
}

function macOf(row: TableRow, text: string): string {
  if (!MAC.test(text)) throw bad(row, 'a MAC address is six pairs of hexadecimal digits');
  return (text.toLowerCase().replace(/[:-]/g, '').match(/../g) ?? []).join(':');
}

function bad({ line }: TableRow, reason: string): HoldfastError {
  return new HoldfastError('cli.bad_table', { line, reason });
}
