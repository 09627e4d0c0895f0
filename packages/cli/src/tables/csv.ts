import { HoldfastError } from '@holdfast/kernel';

/** One record and the line it begins on, counted from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

const MAX_FIELD = 65_536;
const MAX_FIELDS = 64;
const CONTROL = /\p{Cc}/u;
/** Of Unicode's control characters: 0-31 and 127-159. */
const isControl = (code: number): boolean => code < 0x20 || (code >= 0x7f && code < 0xa0);

/** What the next character means: at a field's start, inside one, inside quotes, or behind a closing quote. */
type Place = 'start' | 'plain' | 'quoted' | 'closed';

/**
 * Reads CSV strictly (RFC 4180): quotes around whole fields only, records ended by LF or CR LF, nothing cut off at the
 * end. A byte order mark before the first record is skipped, since spreadsheets write one.
 *
 * @throws `cli.bad_table` with the line, for everything else
 */
export class CsvParser {
  #fields: string[] = [];
  #field = '';
  #place: Place = 'start';
  #line = 1;
  #recordLine = 1;
  #afterReturn = false;
  #isFirst = true;

  /** @returns the records that ended in this part. */
  push(text: string): readonly CsvRecord[] {
    const records: CsvRecord[] = [];
    for (const character of this.#isFirst ? text.replace(/^\u{feff}/u, '') : text) this.#take(character, records);
    if (text !== '') this.#isFirst = false;
    return records;
  }

  /** @returns the last record when no line end follows it. */
  end(): readonly CsvRecord[] {
    if (this.#place === 'quoted' || this.#afterReturn) throw this.#bad('the end is cut off');
    return this.#place === 'start' && this.#fields.length === 0 ? [] : [this.#finishRecord()];
  }

  #take(character: string, records: CsvRecord[]): void {
    if (this.#afterReturn) {
      this.#afterReturn = false;
      if (character !== '\n') throw this.#bad('a carriage return without a line feed');
      this.#endLine(records);
      return;
    }
    if (this.#place === 'quoted') return this.#quoted(character);
    if (character === '\n') return this.#endLine(records);
    if (character === '\r') {
      this.#afterReturn = true;
      return;
    }
    if (character === ',') return this.#endField();
    if (this.#place === 'closed') return this.#closed(character);
    if (character === '"') {
      if (this.#place === 'plain') throw this.#bad('a quote inside a field that is not quoted');
      this.#place = 'quoted';
      return;
    }
    this.#append(character);
    this.#place = 'plain';
  }

  #quoted(character: string): void {
    if (character === '"') this.#place = 'closed';
    else this.#append(character);
  }

  #closed(character: string): void {
    if (character !== '"') throw this.#bad('something between a closing quote and the comma');
    this.#append('"');
    this.#place = 'quoted';
  }

  #append(character: string): void {
    if (isControl(character.charCodeAt(0))) throw this.#bad('a control character');
    if (this.#field.length >= MAX_FIELD) throw this.#bad('a field of more than 65536 characters');
    this.#field += character;
  }

  #endField(): void {
    if (this.#fields.length === MAX_FIELDS) throw this.#bad('more than 64 fields');
    this.#fields.push(this.#field);
    this.#field = '';
    this.#place = 'start';
  }

  #endLine(records: CsvRecord[]): void {
    records.push(this.#finishRecord());
    this.#line += 1;
    this.#recordLine = this.#line;
  }

  #finishRecord(): CsvRecord {
    this.#endField();
    const record = { line: this.#recordLine, fields: this.#fields };
    this.#fields = [];
    return record;
  }

  #bad(reason: string): HoldfastError {
    return new HoldfastError('cli.bad_table', { line: this.#line, reason });
  }
}

/** One record with its line end. @throws `cli.bad_table` for a control character, which the reader would refuse */
export function formatCsvRecord(fields: readonly string[]): string {
  const written = fields.map((field) => {
    if (CONTROL.test(field)) throw new HoldfastError('cli.bad_table', { reason: 'a control character' });
    return /[",]/.test(field) || field !== field.trim() ? `"${field.replaceAll('"', '""')}"` : field;
  });
  return `${written.join(',')}\n`;
}
