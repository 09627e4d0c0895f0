import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { HoldfastError } from '@holdfast/kernel';

/** How an operator names the bus; nothing of it is a secret. */
export interface NatsWish {
  /** `nats://HOST:PORT` or `tls://HOST:PORT`, several separated by commas. */
  readonly bus: string;
  /** `file:PATH` or `env:NAME` of a credentials file, of `USER:PASSWORD`, or of a token. */
  readonly credentials: string | undefined;
  /** PEM of the authorities a server certificate may come from; undefined takes those of the system. */
  readonly ca: string | undefined;
  /** Whether what nodes tell each other may cross a network in clear. */
  readonly plaintext: boolean;
  /** An `env:` secret is removed from it, so that no child process inherits it. */
  readonly environment: Record<string, string | undefined>;
}

type NatsLogin =
  | { readonly kind: 'creds'; readonly text: string }
  | { readonly kind: 'user'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string };

export interface NatsAddress {
  /** `HOST:PORT`. */
  readonly servers: readonly string[];
  /** False is plaintext. */
  readonly tls: { readonly ca: string | undefined } | false;
  readonly login: NatsLogin | undefined;
}

const PORT = '4222';

/** @throws `server.bad_config` for what cannot be read or would not be safe; the details never hold a secret. */
export function resolveNats(wish: NatsWish): NatsAddress {
  const urls = wish.bus.split(',').map((text) => parse(text.trim()));
  const wantsTls = urls.some(({ protocol }) => protocol === 'tls:') || wish.ca !== undefined;
  if (!wantsTls && !wish.plaintext && !urls.every(({ hostname }) => isLoopback(hostname))) {
    throw refused('plaintext leaves this machine: say tls:// or --bus-plaintext');
  }
  if (wantsTls && urls.some(({ hostname }) => isAddress(hostname))) {
    throw refused('TLS needs the name of the server, not its address');
  }
  return {
    servers: urls.map(({ hostname, port }) => `${hostname}:${port || PORT}`),
    tls: wantsTls ? { ca: wish.ca === undefined ? undefined : readText(wish.ca) } : false,
    login: wish.credentials === undefined ? undefined : loginOf(secretOf(wish.credentials, wish.environment)),
  };
}

function parse(text: string): URL {
  if (!/^(nats|tls):\/\//.test(text) || !URL.canParse(text))
    throw refused('is not nats://HOST:PORT or tls://HOST:PORT');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw refused('credentials belong in a file or a variable');
  if (url.hostname === '') throw refused('the host is missing');
  return url;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The client checks a certificate's name only where it was given one. */
export function isAddress(host: string): boolean {
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

function loginOf(text: string): NatsLogin {
  if (text.includes('BEGIN NATS USER JWT')) return { kind: 'creds', text };
  const at = text.indexOf(':');
  if (at === -1) return { kind: 'token', token: text };
  return { kind: 'user', user: text.slice(0, at), password: text.slice(at + 1) };
}

function secretOf(reference: string, environment: NatsWish['environment']): string {
  const [, scheme, name = ''] = /^(file|env):(.+)$/s.exec(reference) ?? [];
  const text = scheme === 'file' ? readText(name) : environment[name];
  if (scheme === 'env') delete environment[name];
  if (text === undefined || text.trim() === '') throw refused('a secret is empty or missing');
  return text.trim();
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('server.bad_config', { field: 'bus', reason: 'a file cannot be read' }, { cause });
  }
}

function refused(reason: string): HoldfastError {
  return new HoldfastError('server.bad_config', { field: 'bus', reason });
}
