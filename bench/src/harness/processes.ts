import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Linux counts process times in these (USER_HZ). */
const TICK_MICROS = 10_000;

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** User and system time of a process with all its threads, in microseconds; its children too when asked. */
export function cpuMicros(pid: number, withChildren = false): number {
  const own = statMicros(`/proc/${pid}/stat`);
  if (!withChildren) return own;
  return childrenOf(pid).reduce((sum, child) => sum + cpuMicros(child, true), own);
}

function statMicros(file: string): number {
  const text = readFileSync(file, 'utf8');
  // The name in brackets may hold anything; utime and stime are fields 14 and 15 (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const file = `/proc/${pid}/task/${task}/children`;
    return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : [];
  });
}

/** Resident memory in KiB. */
export function residentKiB(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0);
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export async function untilListening(port: number, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await sleep(20);
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** A process under measurement. */
export interface Subject {
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Starts a long-lived program; what it wrote to stderr is told when it ends by itself. */
export function startProcess(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Subject & { readonly child: ChildProcess } {
  const child = spawn(command, [...args], { stdio: ['ignore', 'ignore', 'pipe'], env });
  let said = '';
  let stopping = false;
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const ended = once(child, 'exit');
  child.on('error', (error) => (said += error.message));
  child.on('exit', (code) => {
    if (!stopping) console.error(`${path.basename(command)} ended by itself with ${String(code)}: ${said}`);
  });
  return {
    child,
    pid: child.pid ?? 0,
    async stop() {
      stopping = true;
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Nothing measured here takes nearly as long: what does has stalled. */
export const STALLED_MS = 180_000;

/** Runs a program to its end. @returns stdout @throws with stderr when it fails or stalls */
export async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const child = spawn(command, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STALLED_MS,
    killSignal: 'SIGKILL',
    ...options,
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0)
    throw new Error(
      `${path.basename(command)} failed (${code ?? signal}): ${Buffer.concat(err).toString().slice(-2000)}`,
    );
  return Buffer.concat(out).toString();
}

/** Runs one of our workloads in a process of its own. @returns the JSON it printed last */
export async function runWorkload<Result>(name: string, parameters: unknown): Promise<Result> {
  const file = fileURLToPath(new URL(`../workloads/${name}.ts`, import.meta.url));
  const out = await run(process.execPath, ['--no-warnings', file, JSON.stringify(parameters)]);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Result;
}
