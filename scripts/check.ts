// Runs every static check side by side and prints one line each.
import { spawn } from 'node:child_process';

const CHECKS: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['types', ['node_modules/typescript-native/bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
  ['console types', ['node_modules/typescript-native/bin/tsc', '--noEmit', '-p', 'packages/console/tsconfig.json']],
  ['lint', ['node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings']],
  ['format', ['node_modules/@biomejs/biome/bin/biome', 'format', '.']],
  ['layers', ['scripts/check-layers.ts']],
  ['unused', ['node_modules/knip/bin/knip.js']],
  ['error index', ['scripts/generate-error-index.ts', '--check']],
  ['mqtt conformance', ['scripts/generate-mqtt-conformance.ts', '--check']],
];

interface Outcome {
  readonly name: string;
  readonly code: number;
  readonly output: string;
}

function run(name: string, command: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('close', (code) => resolve({ name, code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

const outcomes = await Promise.all(CHECKS.map(([name, command]) => run(name, command)));
for (const { name, code, output } of outcomes) {
  console.log(`${code === 0 ? 'ok    ' : 'failed'}  ${name}`);
  if (code !== 0) console.log(output);
}
const failed = outcomes.filter(({ code }) => code !== 0).length;
console.log(`${outcomes.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
