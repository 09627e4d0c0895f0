import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '@holdfast/kernel';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { CsvParser, formatCsvRecord } from './csv.ts';
import { readTable } from './table-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-csv-'));
afterAll(() => rmSync(folder, { recursive: true }));

const parse = (...parts: readonly string[]) => {
  const parser = new CsvParser();
  return [...parts.flatMap((part) => parser.push(part)), ...parser.end()];
};
const collect = async <Row>(rows: AsyncIterable<Row>): Promise<readonly Row[]> => {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
};
const bad = (line: number) =>
  expect.objectContaining({ code: 'cli.bad_table', details: expect.objectContaining({ line }) });

describe('a CSV reader', () => {
  it('takes quotes, doubled quotes, commas within, both line ends and a last line without one', () => {
    expect(parse('\u{feff}a,"b,""c"""\r\n', ',\n"x"')).toEqual([
      { line: 1, fields: ['a', 'b,"c"'] },
      { line: 2, fields: ['', ''] },
      { line: 3, fields: ['x'] },
    ]);
  });

  it('reads back what it wrote, however it is cut', () => {
    const field = fc.string({ unit: fc.constantFrom('a', ',', '"', ' ', 'é', '😀'), maxLength: 8 });
    const rows = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.nat({ max: 40 }), (given, cut) => {
        const characters = Array.from(given.map(formatCsvRecord).join(''));
        const parts = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
        expect(parse(...parts).map(({ fields }) => fields)).toEqual(given);
      }),
    );
  });

  it.each([
    ['a quote in the middle', 'a\nb"c\n', 2],
    ['something behind a quote', '"a"b\n', 1],
    ['a quote that is never closed', 'a\n"b', 2],
    ['a carriage return alone', 'a\rb', 1],
    ['a carriage return at the end', 'a\r', 1],
    ['a NUL', 'a\n\0', 2],
    ['a line break within quotes', '"a\nb"\n', 1],
    ['a field without end', 'a'.repeat(65_537), 1],
    ['65 fields', ','.repeat(65), 1],
  ])('refuses %s and names the line', (_name, text, line) => {
    expect(() => parse(text)).toThrowError(bad(line));
  });

  it('answers any text with records or a coded error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(HoldfastError.is(error)).toBe(true);
        }
      }),
    );
  });
});

describe('a table in a file', () => {
  const columns = { known: ['serial', 'groups'], required: ['serial'] };
  const read = async (content: string | Uint8Array) => {
    const file = path.join(folder, 'table.csv');
    writeFileSync(file, content);
    return collect(readTable(file, columns));
  };

  it('gives rows by the names of the first line, in any order of columns', async () => {
    expect(await read('groups,serial\nx,1\n,2\n')).toEqual([
      { line: 2, values: { groups: 'x', serial: '1' } },
      { line: 3, values: { serial: '2' } },
    ]);
  });

  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['an unknown column', 'serial,colour\n'],
    ['a column twice', 'serial,serial\n'],
    ['no serial numbers', 'groups\n'],
    ['a row with a field more', 'serial\na,b\n'],
    ['an empty line', 'serial\n\na\n'],
    ['text that is not UTF-8', Uint8Array.of(0x73, 0xff, 0x0a)],
  ])('refuses %s', async (_name, content) => {
    await expect(read(content)).rejects.toThrowError(expect.objectContaining({ code: 'cli.bad_table' }));
  });

  it('says that a file cannot be read', async () => {
    const missing = collect(readTable(path.join(folder, 'missing.csv'), columns));
    await expect(missing).rejects.toThrowError(expect.objectContaining({ code: 'cli.file_unusable' }));
  });
});
