import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestProject } from 'vitest/node';
import { findFreePorts } from '../world/free-ports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where moto answers as S3. */
    s3: string;
  }
}

const READY_MS = 30_000;

/** One moto server for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [port = 0] = await findFreePorts(1);
  const server = spawn(
    process.env['HOLDFAST_PYTHON'] ?? 'python3',
    ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    { stdio: 'ignore' },
  );
  process.once('exit', () => server.kill('SIGKILL'));
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + READY_MS;
  while (!(await answers(endpoint))) {
    if (server.exitCode !== null || performance.now() > deadline) throw new Error('moto did not come up');
    await sleep(50);
  }
  project.provide('s3', endpoint);
  return async () => {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  };
}

function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/moto-api/`).then(
    () => true,
    () => false,
  );
}
