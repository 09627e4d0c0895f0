import { HoldfastError } from '@holdfast/kernel';
import type { GeneralName } from '@holdfast/wire/x509';

const DNS =
  /^(?:\*\.)?(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** What a server certificate says for a host: an address by its octets, a name by its text. @throws `request.invalid` */
export function hostName(host: string): GeneralName {
  if (IPV4.test(host)) return { kind: 'ip', bytes: ipv4(host) };
  if (host.includes(':')) return { kind: 'ip', bytes: ipv6(host) };
  if (host.length > 253 || !DNS.test(host)) throw invalid();
  return { kind: 'dns', text: host.toLowerCase() };
}

function ipv4(text: string): Uint8Array {
  const octets = text.split('.').map(Number);
  if (octets.some((octet) => octet > 255)) throw invalid();
  return Uint8Array.from(octets);
}

/** RFC 4291 2.2, forms 1 and 2. */
function ipv6(text: string): Uint8Array {
  const halves = text.split('::');
  if (halves.length > 2) throw invalid();
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) throw invalid();
  const groups = [...head, ...Array.from({ length: halves.length === 1 ? 0 : missing }, () => '0'), ...tail];
  if (groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) throw invalid();
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}

function invalid(): HoldfastError {
  return new HoldfastError('request.invalid', { field: 'host name' });
}
