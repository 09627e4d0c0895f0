// Writes docs/mqtt-conformance.md: every numbered statement of MQTT 3.1.1 and 5 with its test, or why it has none.
// With --check says whether the file is current and nothing is missing.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Statement } from '../packages/server/src/protocols/mqtt/conformance/statement.ts';
import { STATEMENTS_3 } from '../packages/server/src/protocols/mqtt/conformance/statements-3.ts';
import { STATEMENTS_5 } from '../packages/server/src/protocols/mqtt/conformance/statements-5.ts';

const ROOT = new URL('../', import.meta.url);
const FILE = new URL('docs/mqtt-conformance.md', ROOT);
const FOLDERS = [
  'packages/server/src/protocols/mqtt/conformance/',
  'packages/server/src/protocols/mqtt/',
  'packages/wire/src/mqtt/',
];

interface Test {
  readonly path: string;
  readonly title: string;
}

type Version = '3.1.1' | '5';

const ID = /\[MQTT-([\d.]+-\d+)\]/g;
const OLD_IDS = /3\.1\.1((?: \[MQTT-[\d.]+-\d+\])+)/g;
const TITLE = /'((?:[^'\\\n]|\\.)*\[MQTT-(?:[^'\\\n]|\\.)*)'/g;

/** The tests whose titles name statements, by version and identifier. */
function namedTests(): Record<Version, Map<string, Test>> {
  const found: Record<Version, Map<string, Test>> = { '3.1.1': new Map(), '5': new Map() };
  const note = (version: Version, ids: string, test: Test): void => {
    for (const [, id = ''] of ids.matchAll(ID)) if (!found[version].has(id)) found[version].set(id, test);
  };
  for (const folder of FOLDERS) {
    for (const name of readdirSync(new URL(folder, ROOT)).filter((file) => file.endsWith('.test.ts'))) {
      const path = folder + name;
      for (const [, title = ''] of readFileSync(new URL(path, ROOT), 'utf8').matchAll(TITLE)) {
        const test = { path, title: plain(title) };
        for (const [, ids = ''] of title.matchAll(OLD_IDS)) note('3.1.1', ids, test);
        note('5', title.replaceAll(OLD_IDS, ''), test);
      }
    }
  }
  return found;
}

/** A title without the identifiers, fit for a table. */
function plain(title: string): string {
  const words = title.replaceAll(OLD_IDS, '').replaceAll(ID, '').replaceAll('|', '\\|');
  return words
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ,|,\s*$/g, '')
    .trim();
}

function row({ id, who, says, untested }: Statement, test: Test | undefined): string {
  const proof =
    test !== undefined
      ? `${test.title} ([${test.path.slice(test.path.lastIndexOf('/') + 1)}](../${test.path}))`
      : `none: ${untested ?? 'it binds clients'}`;
  return `| ${id} | ${who} | ${says.replaceAll('|', '\\|')} | ${proof} |`;
}

function section(version: Version, list: readonly Statement[], tests: ReadonlyMap<string, Test>): string {
  const binding = list.filter(({ who }) => who !== 'client');
  const tested = binding.filter(({ id }) => tests.has(id));
  return [
    `## MQTT ${version}`,
    '',
    `${list.length} statements: ${list.length - binding.length} bind clients alone; of the other ${binding.length}, ` +
      `${tested.length} have a test and ${binding.length - tested.length} a reason why not.`,
    '',
    '| statement | binds | what it asks | test |',
    '|---|---|---|---|',
    ...list.map((statement) => row(statement, tests.get(statement.id))),
    '',
  ].join('\n');
}

/** Statements on servers that have neither test nor reason, or both, and identifiers that name nothing. */
function gaps(version: Version, list: readonly Statement[], tests: ReadonlyMap<string, Test>): string[] {
  const known = new Set(list.map(({ id }) => id));
  const wrong = list.filter(({ who, id, untested }) => who !== 'client' && tests.has(id) === (untested !== undefined));
  return [
    ...wrong.map(({ id }) => `MQTT ${version} ${id}: it needs a test with the identifier in its title, or a reason`),
    ...[...tests.keys()].filter((id) => !known.has(id)).map((id) => `MQTT ${version} ${id}: no such statement`),
  ];
}

function fail(complaint: string): never {
  console.error(complaint);
  process.exit(1);
}

const tests = namedTests();
const missing = [...gaps('5', STATEMENTS_5, tests['5']), ...gaps('3.1.1', STATEMENTS_3, tests['3.1.1'])];
if (missing.length > 0) fail(missing.join('\n'));

const page = [
  '# MQTT conformance',
  '',
  'Every numbered statement of the two standards, in words of our own, with the test that proves it. Made from',
  '`packages/server/src/protocols/mqtt/conformance` and the titles of the tests by',
  '`node scripts/launch.js scripts/generate-mqtt-conformance.ts`; `npm run check` says when it is stale. Beside these',
  'stand the wire sequences of the same folder: every packet type broken in every way, and how each is answered.',
  '',
  section('5', STATEMENTS_5, tests['5']),
  section('3.1.1', STATEMENTS_3, tests['3.1.1']),
].join('\n');

if (!process.argv.includes('--check')) writeFileSync(FILE, page);
else if (readFileSync(FILE, 'utf8') !== page) {
  fail('docs/mqtt-conformance.md is stale. Next step: node scripts/launch.js scripts/generate-mqtt-conformance.ts');
}
