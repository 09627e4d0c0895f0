import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ApiClient } from '@holdfast/api';
import { type Clock, HoldfastError } from '@holdfast/kernel';
import { createLocalClient } from '../connection/local-client.ts';
import { pause } from './waiting.ts';

const MAIN = fileURLToPath(new URL(`../main${path.extname(import.meta.url)}`, import.meta.url));
const PORTS = ['mqtt', 'https', 'management', 'public'];
const START_MS = 30_000;
const STOP_MS = 10_000;
const KEPT_TEXT = 4000;

/** A server of its own: free ports, its own process, so that it can be looked at from outside only. */
export class ServerProcess {
  readonly client: ApiClient;
  readonly dataFolder: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #clock: Clock;
  #said = '';

  /** @throws `cli.server_not_started` with the last line it said */
  static async start(dataFolder: string, clock: Clock, signal: AbortSignal): Promise<ServerProcess> {
    const server = new ServerProcess(dataFolder, clock);
    try {
      await server.#ready(signal);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  private constructor(dataFolder: string, clock: Clock) {
    this.dataFolder = dataFolder;
    this.#clock = clock;
    this.client = createLocalClient(dataFolder);
    const ports = PORTS.flatMap((name) => [`--port-${name}`, '0']);
    this.#child = spawn(process.execPath, [MAIN, 'up', '--data', dataFolder, '--log-level', 'warn', ...ports], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environment(),
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-KEPT_TEXT);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#child.once('exit', () => resolve());
    this.#child.once('error', () => resolve());
    this.#exited = promise;
  }

  /** Where a listener answers. */
  async port(name: string): Promise<number> {
    const { listeners } = await this.client.call('status.show', {});
    return listeners.find((listener) => listener.name === name)?.port ?? 0;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const patience = this.#clock.after(STOP_MS, () => this.#child.kill('SIGKILL'));
    await this.#exited;
    patience.cancel();
  }

  async #ready(signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonicMs() + START_MS;
    for (;;) {
      if (await this.#answers()) return;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#clock.monotonicMs() > until) {
        const reason = this.#said.trim().split('\n').at(-1);
        throw new HoldfastError('cli.server_not_started', { reason });
      }
      await pause(this.#clock, 20, signal);
    }
  }

  async #answers(): Promise<boolean> {
    try {
      await this.client.call('status.show', {});
      return true;
    } catch (error) {
      if (HoldfastError.is(error, 'server.unreachable')) return false;
      throw error;
    }
  }
}

/** Settings of another server on this machine must not become those of the demo. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')));
}
