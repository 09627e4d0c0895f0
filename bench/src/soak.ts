// npm run soak -- [NAME ...|all] [--count N] [--seed N]: long runs; what they found is added to bench/RESULTS.md.
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from './harness/machine.ts';
import { machineLines } from './harness/report.ts';
import { SOAKS } from './soak/index.ts';

const RESULTS = fileURLToPath(new URL('../RESULTS.md', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' } },
});
const count = values.count === undefined ? undefined : Number(values.count);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const isAll = positionals.length === 0 || positionals.includes('all');
const chosen = isAll ? SOAKS : SOAKS.filter(({ name }) => positionals.includes(name));

if (values.help === true || chosen.length === 0 || !Number.isInteger(seed) || (count !== undefined && !(count > 0))) {
  const list = SOAKS.map(({ name, words }) => `  ${name.padEnd(18)} ${words}`).join('\n');
  console.error(`npm run soak -- [NAME ...|all] [--count N] [--seed N]\n\n${list}`);
  process.exit(values.help === true ? 0 : 64);
}

const machine = describeMachine();
console.log(machineLines(machine));
for (const soak of chosen) {
  console.log(`\n${soak.name}: ${soak.words}`);
  const started = performance.now();
  const { facts, faults } = await soak.run(count, seed, (line) => console.log(`  ${line}`));
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  const told = Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
  console.log(`  ${told}, in ${minutes} minutes`);
  for (const fault of faults) console.log(`  FAULT  ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  if (!existsSync(RESULTS)) writeFileSync(RESULTS, '# Results\n');
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, Node ${machine.node}, load ${machine.load.join(' ')}`;
  appendFileSync(
    RESULTS,
    `\n- ${machine.date} soak \`${soak.name}\`: ${faults.length === 0 ? 'held' : `**${faults.length} faults**`}; ${told}; ${minutes} minutes on ${where}\n`,
  );
}
