import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { type Clock, formatRfc3339, toHoldfastError } from '@holdfast/kernel';
import type { Config } from '../config/index.ts';
import { openKeyEngines } from '../engines/keys/open-key-engines.ts';

export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'problem';
  readonly words: string;
  /** One thing to do; absent when all is well. */
  readonly next?: string;
}

export interface DoctorPorts {
  readonly config: Config;
  readonly clock: Clock;
  /** True when the server of this data folder answers on its socket: then its own ports are rightly taken. */
  readonly serverRuns: boolean;
}

type Check = (ports: DoctorPorts) => Finding | Promise<Finding>;

const MIN_FREE_BYTES = 256 * 1024 * 1024;
/** Older than this the clock was certainly never set: no certificate made then would be valid now. */
const EARLIEST_SANE_MS = Date.UTC(2026, 0, 1);
const LATEST_SANE_MS = Date.UTC(2100, 0, 1);
const NEEDED_NODE = 24;

/** What `holdfast doctor` looks at, in order. */
export const CHECKS: Readonly<Record<string, Check>> = {
  runtime: () => {
    const major = Number(process.versions.node.split('.')[0]);
    return major >= NEEDED_NODE
      ? ok('runtime', `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`)
      : problem('runtime', `Node ${process.versions.node} is too old`, `install Node ${NEEDED_NODE} or newer`);
  },
  clock: ({ clock }) => {
    const now = clock.now();
    return now >= EARLIEST_SANE_MS && now < LATEST_SANE_MS
      ? ok('clock', `it is ${formatRfc3339(now)}`)
      : problem(
          'clock',
          `the clock says ${formatRfc3339(now)}`,
          'set the clock, or start a time service such as chrony',
        );
  },
  folder: ({ config }) => checkFolder(config.data),
  disk: ({ config }) => checkDisk(config.data),
  'root key': ({ config }) => checkRootKey(config),
  'issuing key': (ports) => checkIssuingKey(ports),
  'port mqtt': (ports) => checkPort(ports, 'port mqtt', ports.config.portMqtt, '--port-mqtt'),
  'port https': (ports) => checkPort(ports, 'port https', ports.config.portHttps, '--port-https'),
  'port management': (ports) => checkPort(ports, 'port management', ports.config.portManagement, '--port-management'),
  'port public': (ports) => checkPort(ports, 'port public', ports.config.portPublic, '--port-public'),
};

/** Runs every check. */
export async function examine(ports: DoctorPorts): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const check of Object.values(CHECKS)) findings.push(await check(ports));
  return findings;
}

function ok(check: string, words: string): Finding {
  return { check, verdict: 'ok', words };
}

function problem(check: string, words: string, next: string): Finding {
  return { check, verdict: 'problem', words, next };
}

/** A server that runs is asked, not its token: that may have one session only. */
async function checkIssuingKey({ config, clock, serverRuns }: DoctorPorts): Promise<Finding> {
  const { issuingKey, pkcs11Module, pkcs11Pin } = config;
  if (issuingKey === undefined || serverRuns) return ok('issuing key', issuingKey ?? 'sealed in the data folder');
  const engines = openKeyEngines({ clock, pkcs11Module, pkcs11Pin, environment: process.env });
  try {
    await engines.describe(issuingKey);
    return ok('issuing key', `${issuingKey} answers`);
  } catch (error) {
    const { code, message, spec } = toHoldfastError(error);
    return problem('issuing key', `${issuingKey}: ${message} [${code}]`, spec.next);
  } finally {
    engines.close();
  }
}

function checkFolder(folder: string): Finding {
  const target = existsSync(folder) ? folder : nearestExisting(folder);
  try {
    accessSync(target, constants.W_OK | constants.X_OK);
  } catch {
    return problem(
      'folder',
      `${target} is not writable`,
      'make it writable for this user, or choose another with --data',
    );
  }
  if (target !== folder) return ok('folder', `${folder} will be made on the first start`);
  const { mode } = statSync(folder);
  return (mode & 0o077) === 0
    ? ok('folder', folder)
    : problem('folder', `${folder} can be read by other users`, `chmod 700 ${folder}`);
}

function checkDisk(folder: string): Finding {
  const { bavail, bsize } = statfsSync(nearestExisting(folder));
  const free = bavail * bsize;
  const words = `${Math.floor(free / 1024 / 1024)} MiB free`;
  return free >= MIN_FREE_BYTES ? ok('disk', words) : problem('disk', words, 'free space where the data folder lies');
}

function checkRootKey({ rootKey, data, store }: Config): Finding {
  const file = rootKey === undefined ? `${path.resolve(data)}.root-key` : rootKey.replace(/^file:/, '');
  if (rootKey !== undefined && !rootKey.startsWith('file:')) return ok('root key', `from ${rootKey.split(':')[0]}`);
  if (!existsSync(file)) {
    if (store !== undefined) return ok('root key', `${file} is made only if the database holds nothing yet`);
    return existsSync(path.join(data, 'holdfast.db'))
      ? problem('root key', `${file} is missing`, 'put the file back: without it nothing in the folder can be opened')
      : ok('root key', `${file} will be made on the first start`);
  }
  return (statSync(file).mode & 0o077) === 0
    ? ok('root key', file)
    : problem('root key', `${file} can be read by other users`, `chmod 600 ${file}`);
}

async function checkPort(
  { config, serverRuns }: DoctorPorts,
  check: string,
  port: number,
  flag: string,
): Promise<Finding> {
  if (port === 0) return ok(check, 'chosen by the system');
  if (serverRuns) return ok(check, `${port}, in use by this server`);
  const taken = await isTaken(config.listen, port);
  return taken === undefined
    ? ok(check, `${port} is free`)
    : problem(
        check,
        `${config.listen}:${port} cannot be bound (${taken})`,
        `stop the other process or choose another with ${flag}`,
      );
}

/** The system's code when the port cannot be bound, undefined when it can. */
function isTaken(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}

function nearestExisting(folder: string): string {
  let at = path.resolve(folder);
  while (!existsSync(at)) at = path.dirname(at);
  return at;
}
