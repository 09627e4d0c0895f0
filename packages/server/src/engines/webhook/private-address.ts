import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIPv4, isIPv6, type LookupFunction } from 'node:net';

const SUBNETS: readonly (readonly [net: string, prefix: number, family: 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 96, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
];

/** Where clouds answer with credentials: never an address a message is for. */
const LINK_LOCAL: readonly (readonly [net: string, prefix: number, family: 'ipv4' | 'ipv6'])[] = [
  ['169.254.0.0', 16, 'ipv4'],
  ['fe80::', 10, 'ipv6'],
  ['64:ff9b::a9fe:0', 112, 'ipv6'],
  ['fd00:ec2::254', 128, 'ipv6'],
];

const PRIVATE = listOf(SUBNETS);
const NEVER = listOf(LINK_LOCAL);

/**
 * Where an address leads: `public`, `private` (this machine or its networks), or `never`.
 *
 * @see IANA IPv4 and IPv6 Special-Purpose Address Registries
 */
export function reachOf(address: string): 'public' | 'private' | 'never' {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  const family = isIPv4(plain) ? 'ipv4' : isIPv6(plain) ? 'ipv6' : undefined;
  if (family === undefined || NEVER.check(plain, family)) return 'never';
  return PRIVATE.check(plain, family) ? 'private' : 'public';
}

/** Code of the error for a name that leads nowhere else. */
export const NOT_ALLOWED = 'EHOLDFASTADDRESS';

/** Looks at the address that is connected to, so that a name cannot lead elsewhere after it was looked at. */
export function guardedLookup(privateNetwork: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: readonly LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      const [first, ...rest] = addresses.filter(({ address }) => mayReach(address, privateNetwork));
      if (first === undefined) return callback(Object.assign(new Error('not allowed'), { code: NOT_ALLOWED }), '', 0);
      if (options.all === true) callback(null, [first, ...rest]);
      else callback(null, first.address, first.family);
    });
  };
}

export function mayReach(address: string, privateNetwork: boolean): boolean {
  const reach = reachOf(address);
  return reach === 'public' || (reach === 'private' && privateNetwork);
}

function listOf(subnets: typeof SUBNETS): BlockList {
  const list = new BlockList();
  for (const [net, prefix, family] of subnets) list.addSubnet(net, prefix, family);
  return list;
}
