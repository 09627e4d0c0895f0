// Writes docs/errors.md from the error table; with --check says whether the file is current.
import { readFileSync, writeFileSync } from 'node:fs';
import { ERRORS, type ErrorSpec } from '@holdfast/kernel';

const FILE = new URL('../docs/errors.md', import.meta.url);

function page(): string {
  const rows = Object.entries<ErrorSpec>(ERRORS).sort(([a], [b]) => a.localeCompare(b));
  const rooms = Map.groupBy(rows, ([code]) => code.split('.')[0] ?? '');
  const sections = [...rooms].map(([room, list]) => {
    const lines = list.map(
      ([code, row]) =>
        `| \`${code}\` | ${row.message} | ${row.http} | ${row.exit} | ${row.retry ? 'yes' : 'no'} | ${row.next} |`,
    );
    return `## ${room}\n\n| code | meaning | HTTP | exit | try again | next step |\n|---|---|---|---|---|---|\n${lines.join('\n')}\n`;
  });
  return `# Errors\n\nMade from the error table by \`npm run docs:errors\`. Match on the code: it never changes its meaning.\n\n${sections.join('\n')}`;
}

if (process.argv.includes('--check')) {
  if (readFileSync(FILE, 'utf8') !== page()) {
    console.error('docs/errors.md is not what the error table says. Next step: npm run docs:errors');
    process.exit(1);
  }
} else {
  writeFileSync(FILE, page());
}
