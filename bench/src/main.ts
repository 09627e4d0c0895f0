// npm run bench -- [NAME ...|all] [--smoke] [--json] [--rounds N]
import { parseArgs } from 'node:util';
import { BENCHES } from './benches/index.ts';
import { effortOf } from './harness/bench.ts';
import { describeMachine } from './harness/machine.ts';
import { machineLines, reportLines } from './harness/report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean' },
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '5' },
    help: { type: 'boolean' },
  },
});
const isAll = positionals.length === 0 || positionals.includes('all');
const chosen = isAll ? BENCHES : BENCHES.filter(({ name }) => positionals.includes(name));
const unknown = positionals.filter((name) => name !== 'all' && !BENCHES.some((bench) => bench.name === name));
const rounds = Number(values.rounds);

if (values.help === true || unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(
    `npm run bench -- [NAME ...|all] [--smoke] [--json] [--rounds N]\n\n${BENCHES.map(({ name, words }) => `  ${name.padEnd(18)} ${words}`).join('\n')}`,
  );
  process.exit(values.help === true ? 0 : 64);
}

const effort = effortOf(rounds, values.smoke === true);
const machine = describeMachine();
const say = values.json === true ? (): void => undefined : console.log;
const results: object[] = [];
say(machineLines(machine));
for (const bench of chosen) {
  const { name, words } = bench;
  try {
    const report = await bench.run(effort);
    say(reportLines(name, words, report));
    results.push({ name, words, ...report });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`\n${name} could not be run: ${reason}`);
    results.push({ name, words, failed: reason });
    process.exitCode = 1;
  }
}
if (values.json === true)
  console.log(JSON.stringify({ machine, rounds: effort.rounds, smoke: effort.smoke, results }, undefined, 2));
