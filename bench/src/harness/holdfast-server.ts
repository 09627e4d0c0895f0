import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '@holdfast/api';
import { createLocalClient } from '../../../packages/cli/src/connection/local-client.ts';
import { freePorts, REPOSITORY, startProcess, type Subject, untilListening } from './processes.ts';

/** From the sources, or from what `npm run build` made. */
export type Form = 'sources' | 'built';

const ENTRIES: Readonly<Record<Form, string>> = {
  sources: path.join(REPOSITORY, 'packages/cli/src/main.ts'),
  built: path.join(REPOSITORY, 'dist/packages/cli/src/main.js'),
};

export const isBuilt = (): boolean => existsSync(ENTRIES.built);

export interface HoldfastServer extends Subject {
  readonly mqttPort: number;
  readonly httpsPort: number;
  readonly managementPort: number;
  readonly client: ApiClient;
  /** From the start of the process to an answer on every port, in milliseconds. */
  readonly readyMs: number;
  /** Without warning. */
  readonly kill: () => Promise<void>;
}

export interface ServerWish {
  readonly dataFolder: string;
  readonly form?: Form;
  readonly args?: readonly string[];
  /** Of V8's compiled code; its own folder shows what a first start costs. */
  readonly compileCache?: string;
}

/** Starts `holdfast up` as users do, but directly, so that the process is the server. */
export async function startHoldfast({
  dataFolder,
  form = 'sources',
  args = [],
  compileCache,
}: ServerWish): Promise<HoldfastServer> {
  const [mqtt = 0, https = 0, management = 0, open = 0] = await freePorts(4);
  const ports = ['--port-mqtt', mqtt, '--port-https', https, '--port-management', management, '--port-public', open];
  const cache = compileCache ?? path.join(REPOSITORY, 'node_modules/.cache/compile');
  const started = performance.now();
  const subject = startProcess(
    process.execPath,
    [ENTRIES[form], 'up', '--data', dataFolder, '--log-level', 'error', ...ports.map(String), ...args],
    { ...process.env, NODE_COMPILE_CACHE: cache },
  );
  const { child } = subject;
  let failed: string | undefined;
  child.once('exit', (code) => (failed = `holdfast up ended with ${String(code)}`));
  await untilUp(child.stderr, () => failed);
  await untilListening(management);
  return {
    ...subject,
    mqttPort: mqtt,
    httpsPort: https,
    managementPort: management,
    client: createLocalClient(dataFolder),
    readyMs: performance.now() - started,
    async kill() {
      child.kill('SIGKILL');
      await subject.stop();
    },
  };
}

async function untilUp(stderr: NodeJS.ReadableStream | null, failure: () => string | undefined): Promise<void> {
  let said = '';
  stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const end = performance.now() + 20_000;
  while (!said.includes('Holdfast is up')) {
    const reason = failure();
    if (reason !== undefined || performance.now() > end)
      throw new Error(`${reason ?? 'the server is not up'}: ${said}`);
    await sleep(5);
  }
}
