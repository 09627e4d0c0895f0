import type { SqlValue, Statement } from '../compiled.ts';
import type { ColumnTypes } from '../migrate.ts';

/**
 * What a migration writes for each portable column type. Text is ordered by its bytes, as in SQLite: keyset pages and
 * prefix ranges mean the same in both.
 */
export const POSTGRES_TYPES: ColumnTypes = {
  integer: 'BIGINT',
  text: 'TEXT COLLATE "C"',
  blob: 'BYTEA',
  counted: '',
  keyed: '',
};

/** Texts whose prepared form is kept by each connection. */
const NAMED = 512;

/** What the driver is given. */
export interface PostgresQuery {
  readonly text: string;
  /** Under which the connection keeps the prepared statement; undefined prepares it for this one time. */
  readonly name?: string;
  readonly values: SqlValue[];
}

/** Turns statements into the words of PostgreSQL; each text is translated once. */
export class PostgresPhrases {
  readonly #known = new Map<string, { readonly text: string; readonly name: string }>();

  query({ sql, parameters }: Statement): PostgresQuery {
    const values = parameters.map(toPostgres);
    const known = this.#known.get(sql);
    if (known !== undefined) return { ...known, values };
    const text = numberPlaces(sql);
    if (this.#known.size >= NAMED) return { text, values };
    const phrase = { text, name: `s${this.#known.size}` };
    this.#known.set(sql, phrase);
    return { ...phrase, values };
  }
}

/** `?` outside quotes becomes `$1`, `$2`, …: quoted names and texts are the compiler's own. */
export function numberPlaces(sql: string): string {
  let count = 0;
  return sql.replace(/"[^"]*"|'[^']*'|\?/g, (token) => (token === '?' ? `$${(count += 1)}` : token));
}

/**
 * PostgreSQL's text holds no U+0000. It is kept as a private-use character and a digit, as is that character itself,
 * so that any text comes back as it was.
 */
const ESCAPE = '\uE000';
const NUL = '\u0000';

function toPostgres(value: SqlValue): SqlValue {
  return typeof value === 'string' ? escapeText(value) : value;
}

export function escapeText(text: string): string {
  if (!text.includes(NUL) && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll(NUL, `${ESCAPE}0`);
}

export function unescapeText(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  return text.replaceAll(`${ESCAPE}0`, NUL).replaceAll(`${ESCAPE}1`, ESCAPE);
}

const OID = { bytea: 17, int8: 20 } as const;

/** Reads columns as SQLite's are read: whole numbers as `number`, bytes as `Uint8Array`. */
export function parserOf(oid: number): (text: string) => unknown {
  if (oid === OID.int8) return Number;
  if (oid === OID.bytea) return readBytes;
  return unescapeText;
}

/** Bytes come as `\x` and hex. */
function readBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}
