import { ImportDevice, type RegistryRow } from '@holdfast/api';
import { HoldfastError, type JsonValue, parseStrictJson } from '@holdfast/kernel';
import { formatCsvRecord } from '../tables/csv.ts';

/** A column of the registry as CSV: lists are separated by spaces, attributes are a JSON object. */
interface RegistryColumn {
  readonly name: keyof RegistryRow;
  readonly write: (row: RegistryRow) => string;
  readonly read: (text: string) => unknown;
}

const plain = (name: 'id' | 'serial' | 'product' | 'hardwareRevision' | 'state' | 'createdAt'): RegistryColumn => ({
  name,
  write: (row) => row[name],
  read: (text) => text,
});
const optional = (name: 'ueid' | 'attestationAnchor'): RegistryColumn => ({
  name,
  write: (row) => row[name] ?? '',
  read: (text) => text,
});
const listed = (name: 'groups' | 'certificates'): RegistryColumn => ({
  name,
  write: (row) => row[name].join(' '),
  read: (text) => text.split(' '),
});

const COLUMNS: readonly RegistryColumn[] = [
  plain('id'),
  plain('serial'),
  plain('product'),
  plain('hardwareRevision'),
  plain('state'),
  listed('groups'),
  { name: 'attributes', write: ({ attributes }) => asciiJson(attributes), read: (text) => parseStrictJson(text) },
  optional('ueid'),
  optional('attestationAnchor'),
  listed('certificates'),
  plain('createdAt'),
];

export const COLUMN_NAMES: readonly string[] = COLUMNS.map(({ name }) => name);

export function csvHeader(): string {
  return formatCsvRecord(COLUMN_NAMES);
}

export function csvRow(row: RegistryRow): string {
  return formatCsvRecord(COLUMNS.map(({ write }) => write(row)));
}

/** @throws `cli.bad_table` with the line and the column */
export function rowOfCsv(values: Readonly<Record<string, string>>, line: number): ImportDevice {
  const read: Record<string, unknown> = {};
  for (const column of COLUMNS) {
    const text = values[column.name];
    if (text === undefined) continue;
    try {
      read[column.name] = column.read(text);
    } catch (cause) {
      throw new HoldfastError('cli.bad_table', { line, column: column.name }, { cause });
    }
  }
  return checked(read, line);
}

/** @throws `cli.bad_table` with the line and the field */
export function rowOfJson(text: string, line: number): ImportDevice {
  let value: JsonValue;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    throw new HoldfastError('cli.bad_table', { line, reason: 'not one JSON object' }, { cause });
  }
  return checked(value, line);
}

function checked(value: unknown, line: number): ImportDevice {
  const parsed = ImportDevice.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new HoldfastError('cli.bad_table', { line, column: issue?.path.join('.'), reason: issue?.message });
}

/** Without a control character, of which JSON leaves some as they are. */
function asciiJson(value: Readonly<Record<string, string>>): string {
  return JSON.stringify(value).replace(
    /[\u{7f}-\u{9f}]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
