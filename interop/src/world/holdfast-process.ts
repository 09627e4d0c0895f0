import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ApiClient } from '@holdfast/api';
import { createLocalClient } from '../../../packages/cli/src/connection/local-client.ts';
import { findFreePorts } from './free-ports.ts';

export interface HoldfastPorts {
  readonly mqtt: number;
  readonly https: number;
  /** MQTT and device HTTPS on one port. */
  readonly mux: number;
  readonly enroll: number;
  readonly public: number;
  readonly management: number;
}

const CLI = fileURLToPath(new URL('../../../packages/cli/src/main.ts', import.meta.url));
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

/** `holdfast up` as a user starts it, in a folder of its own. */
export class HoldfastProcess {
  readonly ports: HoldfastPorts;
  readonly api: ApiClient;
  readonly #child: ChildProcess;
  readonly #said: string[];

  /**
   * @param dataFolder - a folder to make; its name must be short, a Unix socket lies in it.
   * @param more - further options of `holdfast up`
   */
  static async start(dataFolder: string, more: readonly string[] = []): Promise<HoldfastProcess> {
    const [mqtt = 0, https = 0, mux = 0, enroll = 0, open = 0, management = 0] = await findFreePorts(6);
    const ports = { mqtt, https, mux, enroll, public: open, management };
    const running = new HoldfastProcess(dataFolder, ports, more);
    await running.#untilReady();
    return running;
  }

  private constructor(dataFolder: string, ports: HoldfastPorts, more: readonly string[]) {
    const options = {
      data: dataFolder,
      'port-mqtt': ports.mqtt,
      'port-https': ports.https,
      'port-mux': ports.mux,
      'port-public': ports.public,
      'port-management': ports.management,
      'port-enroll': ports.enroll,
    };
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.ports = ports;
    this.#said = [];
    this.#child = spawn(process.execPath, [CLI, 'up', '--enroll-listen', ...flags, ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environmentOfOurs(),
    });
    // Whatever ends us, nothing of ours stays behind.
    process.once('exit', () => this.#child.kill('SIGKILL'));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#said.push(chunk.toString()));
    this.api = createLocalClient(dataFolder);
  }

  /** The end of what it wrote to stderr: the place to look when something went wrong. */
  get log(): string {
    return this.#said.join('').slice(-4000);
  }

  /** Sends a signal, such as one that stops it in the middle. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(killer);
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    for (;;) {
      try {
        await this.api.call('status.show', {});
        return;
      } catch (cause) {
        const over = this.#child.exitCode !== null || performance.now() > deadline;
        if (over) {
          await this.stop();
          throw new Error(`holdfast up did not come up: ${this.log}`, { cause });
        }
        await sleep(50);
      }
    }
  }
}

/** Without the settings of whoever runs us: the server reads `HOLDFAST_*` and refuses names it does not know. */
function environmentOfOurs(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')));
}
