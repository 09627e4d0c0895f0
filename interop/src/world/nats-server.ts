import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePorts } from './free-ports.ts';

const READY_MS = 10_000;

/** Whether Debian's nats-server is installed. */
export function hasNatsServer(): boolean {
  return spawnSync('nats-server', ['--version']).status === 0;
}

/** A NATS server of our own on a free loopback port. */
export class NatsServer {
  readonly port: number;
  readonly #more: readonly string[];
  #child: ChildProcess | undefined;

  /** @param more - further options of `nats-server` */
  static async start(more: readonly string[] = []): Promise<NatsServer> {
    const [port = 0] = await findFreePorts(1);
    const server = new NatsServer(port, more);
    await server.start();
    return server;
  }

  private constructor(port: number, more: readonly string[]) {
    this.port = port;
    this.#more = more;
    // Whatever ends us, nothing of ours stays behind.
    process.once('exit', () => this.#child?.kill('SIGKILL'));
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(this.port), ...this.#more], {
      stdio: 'ignore',
    });
    const end = performance.now() + READY_MS;
    while (!(await answers(this.port))) {
      if (performance.now() > end) throw new Error('nats-server did not start');
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
