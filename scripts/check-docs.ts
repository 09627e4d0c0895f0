// Runs the commands of the README and the guides as a reader would: in a folder of its own, against a server of its own.
//
//   node scripts/launch.js scripts/check-docs.ts [PAGE ...]
//
// Every fenced `sh` block of a page below is run, in order. Ports are free ones; words in capitals that stand for an id
// are filled in; a command that lasts runs in the background until its journey ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastProcess, type HoldfastPorts } from '../interop/src/world/holdfast-process.ts';

interface Block {
  readonly where: string;
  readonly commands: string;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const GUIDES = [
  'est-with-curl',
  'factory-station',
  'mqtt-with-mosquitto',
  'policies',
  'aws-iot-sdk',
  'manufacturer-ca',
  'virtual-device',
  'sign-firmware',
];

/** Pages that build on each other share a folder and a server. */
const JOURNEYS: readonly (readonly string[])[] = [
  ['README.md'],
  GUIDES.map((name) => `docs/guides/${name}.md`),
  ['docs/guides/doors.md'],
  ['nrf52840', 'lpc55s69', 'psoc64'].map((chip) => `docs/guides/chips/${chip}.md`),
  ['esp32', 'stm32f4', 'linux'].map((chip) => `docs/guides/chips/${chip}.md`),
];

/** Commands that are stages of the whole check themselves, or that start what runs here already. */
const ELSEWHERE = /^(npm (ci|start|test|run demo)\b|alias holdfast=|$)/;

/** Runs until it is stopped; a reader gives it a terminal of its own. */
const LASTING = /^holdfast device run\b[^&]*$/;

const FILLED: Readonly<Record<string, string>> = {
  RELEASE: '"$(newest_release)"',
  DEVICE: '"$(some_device)"',
};

const DOCUMENTED_PORTS: Readonly<Record<string, keyof HoldfastPorts>> = {
  '8443': 'https',
  '8445': 'mux',
  '8444': 'enroll',
  '8880': 'public',
  '8883': 'mqtt',
  '9443': 'management',
};

const PRELUDE = `
set -e -o pipefail
holdfast() { npm run --silent holdfast -- "$@"; }
some_device() {
  for attempt in $(seq 100); do
    holdfast identity list 2>/dev/null | grep -m 1 -w proven | cut -f 1 | grep . && return
    sleep 0.2
  done
  return 1
}
# The one with the highest version, which is the third column.
newest_release() { holdfast update release list | sort -t $'\\t' -k 3 -V | tail -n 1 | cut -f 1; }
trap 'echo "stopped in $BLOCK: $BASH_COMMAND" >&2' ERR
`;

const LIMIT_MS = 180_000;

function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  return [...text.matchAll(/^[ ]*```sh\n([\s\S]*?)^[ ]*```$/gm)]
    .map(({ 1: commands = '', index }) => ({ where: `${page}:${text.slice(0, index).split('\n').length}`, commands }))
    .filter(({ commands }) => !commands.split('\n').every((line) => ELSEWHERE.test(line)));
}

function asReaderTypes(commands: string, ports: HoldfastPorts): string {
  const lines = commands
    .replaceAll(/\b(8443|8444|8445|8880|8883|9443)\b/g, (port) => String(ports[DOCUMENTED_PORTS[port] ?? 'mqtt']))
    .replaceAll(/\b(RELEASE|DEVICE)\b/g, (word) => FILLED[word] ?? word)
    .split('\n')
    .filter((line) => !line.startsWith('alias holdfast='));
  return lines.map((line) => (LASTING.test(line) ? `${line} > device.log &` : line)).join('\n');
}

/** A folder that looks like a fresh clone and is not: what commands write stays out of the repository. */
function cloneFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'hf-docs-'));
  const kept = readdirSync(ROOT).filter((name) => name !== '.git' && !name.startsWith('data'));
  for (const name of kept) symlinkSync(path.join(ROOT, name), path.join(folder, name));
  // What the pages take for given.
  writeFileSync(path.join(folder, 'firmware.bin'), Buffer.alloc(20_000, 'firmware '));
  const policy = /```json\n([\s\S]*?)```/.exec(readFileSync(path.join(ROOT, 'docs/guides/policies.md'), 'utf8'));
  writeFileSync(path.join(folder, 'telemetry.json'), policy?.[1] ?? '');
  return folder;
}

/** @returns the output, and which block stopped it. */
async function runShell(script: string, folder: string): Promise<{ readonly code: number; readonly said: string }> {
  const shell = spawn('bash', ['-c', script], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, NO_COLOR: '1' },
  });
  const said: string[] = [];
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const timer = setTimeout(() => endGroup(shell.pid), LIMIT_MS);
  // Not close: what lasts in the background keeps the pipes open.
  const [code] = (await once(shell, 'exit')) as [number | null];
  clearTimeout(timer);
  endGroup(shell.pid);
  return { code: code ?? -1, said: said.join('') };
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // Nothing of the group is left.
  }
}

async function takeJourney(pages: readonly string[]): Promise<{ readonly passed: number; readonly failed: number }> {
  const blocks = pages.flatMap(blocksOf);
  if (blocks.length === 0) return { passed: 0, failed: 0 };
  const folder = cloneFolder();
  const server = await HoldfastProcess.start(path.join(folder, 'data'));
  try {
    const steps = blocks.map(
      ({ where, commands }) => `BLOCK=${where}\n${asReaderTypes(commands, server.ports)}\necho "done ${where}"`,
    );
    const { code, said } = await runShell(`${PRELUDE}\n${steps.join('\n')}\nexit 0\n`, folder);
    const done = blocks.filter(({ where }) => said.includes(`done ${where}\n`));
    for (const block of blocks) console.log(`${done.includes(block) ? 'ok    ' : 'failed'}  ${block.where}`);
    if (code !== 0) console.log(said.slice(-3000));
    return { passed: done.length, failed: blocks.length - done.length };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

// An exit, other than a signal, takes the server with it.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const wanted = process.argv.slice(2);
const counts = { passed: 0, failed: 0 };
for (const journey of JOURNEYS) {
  const pages = wanted.length === 0 ? journey : journey.filter((page) => wanted.includes(page));
  const { passed, failed } = await takeJourney(pages);
  counts.passed += passed;
  counts.failed += failed;
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1);
