const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const MAX_NAME = 253;

/** Whether a text is a host name in preferred syntax (RFC 1034 3.5, RFC 1123 2.1): no underscore, no trailing dot. */
export function isHostName(text: string): boolean {
  return text.length > 0 && text.length <= MAX_NAME && text.split('.').every((label) => LABEL.test(label));
}

/** A host name, or one whose whole first label is an asterisk (RFC 6125 6.4.3). */
export function isPresentedDnsName(text: string): boolean {
  return isHostName(text.startsWith('*.') ? text.slice(2) : text);
}

/** One at sign, a local part without white space or control characters, and a host (RFC 5280 4.2.1.6). */
export function isMailbox(text: string): boolean {
  const [local = '', host = '', ...more] = text.split('@');
  return more.length === 0 && /^[\x21-\x7e]+$/.test(local) && isHostName(host);
}

/**
 * Whether a certificate's DNS name stands for a host: equal without regard to case, or by an asterisk that takes
 * the place of exactly the first label.
 */
export function dnsNameMatches(presented: string, host: string): boolean {
  if (!isHostName(host) || !isPresentedDnsName(presented)) return false;
  const [name, wanted] = [presented.toLowerCase(), host.toLowerCase()];
  if (!name.startsWith('*.')) return name === wanted;
  return wanted.includes('.') && wanted.slice(wanted.indexOf('.')) === name.slice(1);
}

/** 4 or 16 octets of an address in text; undefined when it is none. IPv4 has no leading zeros (RFC 3986 3.2.2). */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return parseIpv4(text) ?? parseIpv6(text);
}

/** The text RFC 5952 section 4 and RFC 3986 3.2.2 give an address. */
export function ipAddressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const groups = Array.from({ length: 8 }, (_, n) => ((bytes[2 * n] ?? 0) << 8) | (bytes[2 * n + 1] ?? 0));
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

function parseIpv4(text: string): Uint8Array | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const octets = text.split('.').map(Number);
  return octets.every((octet) => octet < 256) ? Uint8Array.from(octets) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0 || !/^[0-9a-f:]*$/i.test(text)) return undefined;
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'));
  const [front, back] = [groupsOf(head), groupsOf(tail ?? '')];
  const missing = 8 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...front, ...Array.from({ length: missing }, () => '0'), ...back];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
