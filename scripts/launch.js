// Runs a script with a Node that is new enough. Plain JavaScript that Node 20 can read: it is what picks the runtime.
//
//   node scripts/launch.js SCRIPT [ARG ...]
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
const ORPHAN_CHECK_MS = 500;
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

/** The path of a Node that can run Holdfast, or undefined when there is none. */
export function findRuntime() {
  if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) return process.execPath;
  const installed = path.join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  return existsSync(installed) ? installed : undefined;
}

/** The environment a Holdfast process starts with: the compile cache in a folder of the user's own. */
export function runtimeEnvironment() {
  const cache = process.env.NODE_COMPILE_CACHE ?? path.join(root, 'node_modules', '.cache', 'compile');
  try {
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    chmodSync(cache, 0o700);
  } catch {
    return process.env;
  }
  return { ...process.env, NODE_COMPILE_CACHE: cache };
}

/** Runs `args` with the right runtime, stdio inherited; signals go through, the exit code comes back. */
export function launch(args) {
  const runtime = findRuntime();
  if (runtime === undefined) {
    console.error(
      `Holdfast needs Node ${NEEDED_MAJOR} or newer; this is ${process.version} on ${process.platform}-${process.arch}.\n` +
        'Next step: install Node 24 LTS from your distributor, or run npm ci without --omit=optional on Linux x64 or arm64.',
    );
    process.exit(78);
  }
  const child = spawn(runtime, args, { stdio: 'inherit', env: runtimeEnvironment() });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  if (process.env.npm_lifecycle_event !== undefined) stopWhenOrphaned(child);
  child.on('error', (error) => {
    console.error(`Holdfast could not start ${runtime}: ${error.message}\nNext step: run npm ci again.`);
    process.exit(70);
  });
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 70) : 128 + (constants.signals[signal] ?? 0));
  });
}

/** npm gives a signal to its shell, which dies of it and tells nobody: what it started would run on unseen. */
function stopWhenOrphaned(child) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, ORPHAN_CHECK_MS).unref();
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  launch(process.argv.slice(2));
}
