import { readFileSync } from 'node:fs';
import { judgeLimboCase, type LimboCase } from './limbo.ts';

/** `npm run conformance:x509 -- FILE`: one line of JSON for each case of an x509-limbo file. */
const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: npm run conformance:x509 -- FILE\n');
  process.exit(64);
}
const { testcases } = JSON.parse(readFileSync(file, 'utf8')) as { readonly testcases: readonly LimboCase[] };
const now = Date.now();
// The first call compiles; it is nobody's time.
const [first] = testcases;
if (first !== undefined) judgeLimboCase(first, now);
for (const limbo of testcases) process.stdout.write(`${JSON.stringify(judgeLimboCase(limbo, now))}\n`);
