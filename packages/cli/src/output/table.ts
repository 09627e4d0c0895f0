import type { CommandIo } from './io.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | boolean | undefined;
}

// A control character in a name a device chose could rewrite the terminal.
const CONTROL = /\p{Cc}/gu;

function cell(value: string | number | boolean | undefined): string {
  return value === undefined ? '-' : String(value).replace(CONTROL, '\u{fffd}');
}

/** An aligned table with a header on a terminal; tab-separated lines without header otherwise. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], io: CommandIo): string {
  const cells = rows.map((row) => columns.map((column) => cell(column.value(row))));
  if (!io.outIsTerminal) return cells.map((line) => `${line.join('\t')}\n`).join('');
  const titles = columns.map(({ title }) => title);
  const widths = titles.map((title, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const align = (line: readonly string[]) =>
    line
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  const header = io.colour ? `\u001b[1m${align(titles)}\u001b[0m` : align(titles);
  return `${[header, ...cells.map(align)].join('\n')}\n`;
}

/** Name and value, one a line: aligned on a terminal, tab-separated otherwise. */
export function formatFacts(
  facts: readonly (readonly [string, string | number | boolean | undefined])[],
  io: CommandIo,
): string {
  const width = io.outIsTerminal ? Math.max(...facts.map(([name]) => name.length)) : 0;
  const gap = io.outIsTerminal ? '  ' : '\t';
  return facts.map(([name, value]) => `${name.padEnd(width)}${gap}${cell(value)}\n`).join('');
}

/** One JSON document, never coloured. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
