import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@holdfast/kernel';

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));

/** The command as users type it, and the program behind it for tests that kill it. */
export const ENTRANCES = {
  command: path.join(ROOT, 'scripts', 'holdfast.js'),
  program: path.join(ROOT, 'packages', 'cli', 'src', 'main.ts'),
} as const;

export const FREE_PORT_FLAGS = ['mqtt', 'https', 'management', 'public', 'enroll'].flatMap((name) => [
  `--port-${name}`,
  '0',
]);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** One process of the product with nothing but pipes around it. */
export class HoldfastProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(
    args: readonly string[],
    options: { readonly entrance?: keyof typeof ENTRANCES; readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    const { entrance = 'command', env = {} } = options;
    const begun = systemClock.monotonicMs();
    this.child = spawn(process.execPath, [ENTRANCES[entrance], ...args], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        const { stdout, stderr } = this;
        resolve({ code, signal, stdout, stderr, ms: systemClock.monotonicMs() - begun });
      });
    });
  }

  /** Waits for the banner. @returns the ports by listener name */
  async up(): Promise<ReadonlyMap<string, number>> {
    const isUp = () => this.stderr.includes('next step:');
    const early = this.ended.then(({ code, stderr }) => {
      throw new Error(`ended with ${code} before it was up: ${stderr}`);
    });
    const poll = (async () => {
      while (!isUp()) await new Promise<void>((resolve) => systemClock.after(10, resolve));
    })();
    await Promise.race([poll, early]);
    early.catch(() => undefined);
    const rows = this.stderr.matchAll(/^ {2}(\w+) +127\.0\.0\.1:(\d+)$/gm);
    return new Map([...rows].map(([, name, port]) => [name ?? '', Number(port)]));
  }
}

/** Runs one command to its end. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new HoldfastProcess(args, { env }).ended;
}
