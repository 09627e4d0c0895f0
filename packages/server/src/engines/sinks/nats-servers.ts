import { isAddress, isLoopback } from '../bus/nats-address.ts';

export interface NatsServers {
  /** `HOST` or `HOST:PORT`. */
  readonly addresses: readonly string[];
  /** Whether one of them is named by `tls://`: all are spoken to in TLS then, whatever they say of themselves. */
  readonly tls: boolean;
  /** Whether nothing leaves this machine. */
  readonly isLocal: boolean;
  /** Whether each has a name that its certificate can be held against. */
  readonly isNamed: boolean;
}

/** @returns undefined unless each is `HOST[:PORT]`, `nats://HOST[:PORT]` or `tls://HOST[:PORT]` without credentials */
export function readNatsServers(servers: readonly string[]): NatsServers | undefined {
  const urls = servers.map((text) => URL.parse(text.includes('://') ? text : `nats://${text}`));
  const read = urls.filter((url) => url !== null).filter(isServer);
  if (read.length < servers.length) return undefined;
  return {
    addresses: read.map(({ host }) => host),
    tls: read.some(({ protocol }) => protocol === 'tls:'),
    isLocal: read.every(({ hostname }) => isLoopback(hostname)),
    isNamed: !read.some(({ hostname }) => isAddress(hostname)),
  };
}

function isServer({ protocol, hostname, username, password, pathname, search, hash }: URL): boolean {
  const isBare = username === '' && password === '' && search === '' && hash === '' && /^\/?$/.test(pathname);
  return isBare && hostname !== '' && (protocol === 'nats:' || protocol === 'tls:');
}
