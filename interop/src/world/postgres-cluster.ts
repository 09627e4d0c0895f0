import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePorts } from './free-ports.ts';

const DEBIAN = '/usr/lib/postgresql';
const OWNER = 'postgres';
const READY_MS = 30_000;

/** Debian's newest PostgreSQL, or undefined. */
export function postgresBinaries(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined;
  const newest = readdirSync(DEBIAN)
    .map(Number)
    .toSorted((a, b) => b - a)[0];
  const folder = path.join(DEBIAN, String(newest), 'bin');
  return existsSync(path.join(folder, 'initdb')) ? folder : undefined;
}

export interface TlsFiles {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** A PostgreSQL of our own: fresh, durable, on a socket of its own folder and a free loopback port. */
export class PostgresCluster {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'holdfast-postgres-'));
  readonly password = 'of the test alone';
  readonly #bin: string;
  #port = 0;
  #server: ChildProcess | undefined;

  static async start(tls?: TlsFiles): Promise<PostgresCluster> {
    const bin = postgresBinaries();
    if (bin === undefined) throw new Error('PostgreSQL is not installed');
    const cluster = new PostgresCluster(bin);
    await cluster.#make(tls);
    await cluster.start();
    return cluster;
  }

  private constructor(bin: string) {
    this.#bin = bin;
  }

  get port(): number {
    return this.#port;
  }

  /** By the socket, as whoever runs this. */
  url(database = 'postgres'): string {
    return `postgres://${OWNER}@/${database}?host=${this.folder}&sslmode=disable`.replace(
      '@/',
      `@localhost:${this.#port}/`,
    );
  }

  /** Makes a database of its own and gives its address. */
  create(name: string): string {
    const made = this.#run('createdb', ['-h', this.folder, '-p', String(this.#port), '-U', OWNER, name]);
    if (made !== '') throw new Error(made);
    return this.url(name);
  }

  async start(): Promise<void> {
    const server = this.#spawn('postgres', ['-D', this.#data, '-k', this.folder, '-p', String(this.#port)]);
    this.#server = server;
    const end = performance.now() + READY_MS;
    while (this.#run('pg_isready', ['-q', '-h', this.folder, '-p', String(this.#port)], true) !== '') {
      if (performance.now() > end || server.exitCode !== null) throw new Error('PostgreSQL did not start');
      await sleep(50);
    }
  }

  /** Ends every connection and the server, as an administrator does. */
  stop(): Promise<void> {
    return this.#signal('SIGINT');
  }

  /** Without warning: the postmaster and all it started. */
  async kill(): Promise<void> {
    const { pid } = this.#server ?? {};
    const children = pid === undefined ? [] : childrenOf(pid);
    await this.#signal('SIGKILL');
    for (const child of children) {
      try {
        process.kill(child, 'SIGKILL');
      } catch {
        // It ended with its parent.
      }
    }
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #data(): string {
    return path.join(this.folder, 'data');
  }

  async #make(tls: TlsFiles | undefined): Promise<void> {
    const [port = 0] = await findFreePorts(1);
    this.#port = port;
    chmodSync(this.folder, 0o755);
    const password = path.join(this.folder, 'password');
    writeFileSync(password, this.password, { mode: 0o600 });
    if (isRoot()) spawnSync('chown', ['-R', OWNER, this.folder]);
    const auth = ['--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${password}`];
    const said = this.#run('initdb', ['-D', this.#data, '-U', OWNER, '-E', 'UTF8', '--locale=C', ...auth], true);
    if (!existsSync(path.join(this.#data, 'PG_VERSION'))) throw new Error(said);
    const settings = ["listen_addresses = '127.0.0.1'", 'fsync = on', 'max_connections = 60'];
    if (tls !== undefined) {
      writeFileSync(path.join(this.#data, 'server.key'), tls.keyPem, { mode: 0o600 });
      writeFileSync(path.join(this.#data, 'server.crt'), tls.certificatePem);
      if (isRoot()) spawnSync('chown', ['-R', OWNER, this.#data]);
      settings.push('ssl = on');
    }
    appendFileSync(path.join(this.#data, 'postgresql.conf'), `${settings.join('\n')}\n`);
  }

  #signal(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return Promise.resolve();
    const ended = once(server, 'exit').then(() => undefined);
    server.kill(signal);
    return ended;
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const [command, all] = this.#asOwner(program, args);
    return spawn(command, all, { stdio: 'ignore', cwd: this.folder });
  }

  /** What a program said when it failed, or nothing. */
  #run(program: string, args: readonly string[], quiet = false): string {
    const [command, all] = this.#asOwner(program, args);
    const { status, stdout, stderr } = spawnSync(command, all, { cwd: this.folder, encoding: 'utf8' });
    return status === 0 ? '' : `${program} ended with ${status} ${quiet ? '' : `${stdout}${stderr}`}`;
  }

  /** PostgreSQL refuses to run as root. `setpriv` becomes the program, so that signals reach it. */
  #asOwner(program: string, args: readonly string[]): readonly [string, string[]] {
    const file = path.join(this.#bin, program);
    if (!isRoot()) return [file, [...args]];
    return ['setpriv', [`--reuid=${OWNER}`, `--regid=${OWNER}`, '--clear-groups', file, ...args]];
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function childrenOf(pid: number): readonly number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return stdout.split('\n').map(Number).filter(Boolean);
}
