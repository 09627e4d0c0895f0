import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Fleet } from '../harness/fleet.ts';
import { versionOf } from '../harness/machine.ts';
import { REPOSITORY, run, STALLED_MS } from '../harness/processes.ts';

/** One load, as both generators take it. */
export interface Load {
  readonly mode: 'connect' | 'fan' | 'hold';
  readonly port: number;
  /** Connections, messages, or connections to hold. */
  readonly count: number;
  readonly concurrency?: number;
  readonly resume?: 0 | 1;
  /** Key agreement; X25519 alone unless told otherwise. */
  readonly groups?: string;
  readonly qos?: 0 | 1;
  readonly size?: number;
  /** Fan: messages on their way; hold: how many cuts end it. */
  readonly window?: number;
  /** Fan: messages a publisher sends at once; one when absent. */
  readonly burst?: number;
  readonly publishers?: number;
  readonly subscribers?: number;
  readonly seconds?: number;
}

export interface LoadResult {
  readonly operations: number;
  readonly failures: number;
  readonly seconds: number;
  /** Connect: how many of them were resumed. */
  readonly resumed?: number;
  /** Hold: who was cut, and when on the monotonic clock in nanoseconds. */
  readonly cuts?: readonly (readonly [name: string, nanos: number])[];
}

export type GeneratorKind = 'native' | 'node';

const FOLDER = import.meta.dirname;
const BOUNDED = { timeout: 2 * STALLED_MS, killSignal: 'SIGKILL' } as const;
const NATIVE = path.join(REPOSITORY, 'node_modules/.cache/bench/load');
const SOURCES = readdirSync(FOLDER).filter((file) => /\.[ch]$/.test(file));

/** Builds the native generator when a compiler and OpenSSL's headers are there. */
export async function prepareGenerator(): Promise<GeneratorKind> {
  if (process.env['BENCH_GENERATOR'] === 'node') return 'node';
  const newest = Math.max(...SOURCES.map((file) => statSync(path.join(FOLDER, file)).mtimeMs));
  if (existsSync(NATIVE) && statSync(NATIVE).mtimeMs >= newest) return 'native';
  if (versionOf('cc', ['--version']) === undefined) return 'node';
  mkdirSync(path.dirname(NATIVE), { recursive: true });
  const files = SOURCES.filter((file) => file.endsWith('.c')).map((file) => path.join(FOLDER, file));
  try {
    await run('cc', ['-O2', '-std=gnu11', '-o', NATIVE, ...files, '-lssl', '-lcrypto']);
    return 'native';
  } catch {
    return 'node';
  }
}

/** A generator that has prepared everything and waits for the word. */
export class ReadyLoad {
  readonly #child: ChildProcess;
  readonly #result: Promise<LoadResult>;

  constructor(child: ChildProcess, result: Promise<LoadResult>) {
    this.#child = child;
    this.#result = result;
  }

  /** Starts the measured part. */
  go(): Promise<LoadResult> {
    this.#child.stdin?.write('go\n');
    return this.#result;
  }

  /** What a hold says when it ends by itself. */
  get result(): Promise<LoadResult> {
    return this.#result;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

export async function startLoad(kind: GeneratorKind, fleet: Fleet, load: Load): Promise<ReadyLoad> {
  const flags = Object.entries({ identities: fleet.identities, ca: fleet.ca, ...load }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const child =
    kind === 'native'
      ? spawn(NATIVE, flags, { stdio: ['pipe', 'pipe', 'pipe'], ...BOUNDED })
      : spawn(process.execPath, ['--no-warnings', path.join(FOLDER, 'node-load.ts'), ...flags], {
          stdio: ['pipe', 'pipe', 'pipe'],
          ...BOUNDED,
        });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const ready = Promise.withResolvers<void>();
  const result = Promise.withResolvers<LoadResult>();
  result.promise.catch(() => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') ready.resolve();
    else result.resolve(JSON.parse(line) as LoadResult);
  });
  child.on('close', (code) => {
    const error = new Error(`the ${kind} generator ended with ${String(code)}: ${said.slice(-500)}`);
    ready.reject(error);
    result.reject(error);
  });
  await ready.promise;
  return new ReadyLoad(child, result.promise);
}
