import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePorts } from './free-ports.ts';

const READY_MS = 30_000;

export interface Moto {
  readonly endpoint: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Starts moto's server, or a script around it. @param program - what Python is to run */
export async function startMoto(program: readonly string[] = ['-m', 'moto.server']): Promise<Moto> {
  const [port = 0] = await findFreePorts(1);
  const python = process.env['HOLDFAST_PYTHON'] ?? 'python3';
  const server = spawn(python, [...program, '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  process.once('exit', () => server.kill('SIGKILL'));
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + READY_MS;
  while (!(await answers(endpoint))) {
    if (server.exitCode !== null || performance.now() > deadline) throw new Error('moto did not come up');
    await sleep(50);
  }
  const stop = async () => {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  };
  return { endpoint, pid: server.pid ?? 0, stop };
}

function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/moto-api/`).then(
    () => true,
    () => false,
  );
}
