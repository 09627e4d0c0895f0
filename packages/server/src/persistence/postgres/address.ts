import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { HoldfastError } from '@holdfast/kernel';
import { passwordOf } from './password-file.ts';

/** How an operator names the database; nothing of it is a secret. */
export interface PostgresWish {
  /** `postgres://USER@HOST:PORT/DATABASE` without a password, or `file:PATH` / `env:NAME` that leads to one, with or without. */
  readonly store: string;
  /** `file:PATH` or `env:NAME` of the password; undefined asks PGPASSWORD, PGPASSFILE and `~/.pgpass`, as libpq does. */
  readonly password: string | undefined;
  /** PEM of the authorities a server certificate may come from; undefined takes those of the system. */
  readonly ca: string | undefined;
  /** Whether the password and the data may cross a network in clear. */
  readonly plaintext: boolean;
  /** An `env:` secret is removed from it, so that no child process inherits it. */
  readonly environment: Record<string, string | undefined>;
}

/** Where the database is and how it proves itself. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly database: string | undefined;
  readonly password: string | undefined;
  /** False is plaintext. */
  readonly tls: { readonly ca: string | undefined } | false;
}

const PORT = 5432;
const KNOWN: ReadonlySet<string> = new Set(['sslmode', 'host']);

/** @throws `store.bad_address` for what cannot be read or would not be safe; the details never hold the address. */
export function resolvePostgres(wish: PostgresWish): PostgresAddress {
  const url = parseUrl(textOf(wish.store, wish.environment, 'store'));
  const given = decode(url.password);
  if (given !== '' && isPlainAddress(wish.store)) throw refused('password', 'belongs in a file or a variable');
  const host = decode(url.searchParams.get('host') ?? url.hostname.replace(/^\[(.*)\]$/, '$1'));
  if (host === '') throw refused('host', 'is missing');
  const place = {
    host,
    port: url.port === '' ? PORT : Number(url.port),
    user: decode(url.username) || undefined,
    database: decode(url.pathname.slice(1)) || undefined,
  };
  const found = given || wish.environment['PGPASSWORD'] || passwordOf(place, wish.environment);
  return {
    ...place,
    password: wish.password === undefined ? found : textOf(wish.password, wish.environment, 'password'),
    tls: tlsOf(url.searchParams.get('sslmode') ?? undefined, host, wish),
  };
}

/** Whether a setting holds the address itself rather than a reference to it. */
function isPlainAddress(store: string): boolean {
  return /^postgres(ql)?:/.test(store);
}

function parseUrl(text: string): URL {
  if (!isPlainAddress(text) || !URL.canParse(text))
    throw refused('address', 'is not postgres://USER@HOST:PORT/DATABASE');
  const url = new URL(text);
  const unknown = [...url.searchParams.keys()].find((key) => !KNOWN.has(key));
  if (unknown !== undefined) throw refused(unknown.slice(0, 32), 'is not known here');
  return url;
}

/** `require`, `prefer` and `verify-ca` are refused: they take a stranger's certificate for the database's. */
function tlsOf(mode: string | undefined, host: string, { ca, plaintext }: PostgresWish): PostgresAddress['tls'] {
  const wanted = mode ?? (isLocal(host) && ca === undefined ? 'disable' : 'verify-full');
  if (wanted === 'verify-full') {
    if (host.startsWith('/')) throw refused('sslmode', 'is not for a socket of this machine');
    return { ca: ca === undefined ? undefined : readPem(ca) };
  }
  if (wanted !== 'disable') throw refused('sslmode', 'is verify-full or disable');
  if (!isLocal(host) && !plaintext) throw refused('sslmode', 'plaintext leaves this machine');
  return false;
}

function isLocal(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

function textOf(reference: string, environment: PostgresWish['environment'], field: string): string {
  if (isPlainAddress(reference)) return reference;
  const [, scheme, name = ''] = /^(file|env):(.+)$/s.exec(reference) ?? [];
  if (scheme === 'env') {
    const text = environment[name];
    delete environment[name];
    if (text === undefined || text === '') throw refused(field, `${name} is not set`);
    return text;
  }
  if (scheme !== 'file') throw refused(field, 'is not a file: or env: reference');
  const text = read(name, field).trim();
  if (text === '') throw refused(field, 'the file is empty');
  return text;
}

function readPem(file: string): string {
  const pem = read(file, 'ca');
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw refused('ca', 'the file holds no certificate');
  return pem;
}

function read(file: string, field: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('store.bad_address', { field, reason: 'the file cannot be read' }, { cause });
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused('address', 'is not URL encoding');
  }
}

function refused(field: string, reason: string): HoldfastError {
  return new HoldfastError('store.bad_address', { field, reason });
}
