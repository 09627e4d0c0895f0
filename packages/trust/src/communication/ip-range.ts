/** An address as one number with its width, so that families never compare equal by accident. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface IpRange extends Address {
  readonly prefix: number;
}

/** Reads `192.0.2.0/24`, `2001:db8::/32` or one address; undefined for anything else, host bits set included. */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = '', prefixText, ...more] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined || more.length > 0) return undefined;
  if (prefixText === undefined) return { ...parsed, prefix: parsed.bits };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (prefix > parsed.bits) return undefined;
  const hostBits = (1n << BigInt(parsed.bits - prefix)) - 1n;
  return (parsed.value & hostBits) === 0n ? { ...parsed, prefix } : undefined;
}

/** Whether an address lies in a range; an IPv4 peer seen as `::ffff:a.b.c.d` counts as IPv4. */
export function isInRange(address: string, range: IpRange): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.bits !== range.bits) return false;
  const shift = BigInt(range.bits - range.prefix);
  return parsed.value >> shift === range.value >> shift;
}

function parseAddress(text: string): Address | undefined {
  const v4 = parseV4(text);
  if (v4 !== undefined) return { bits: 32, value: v4 };
  const v6 = parseV6(text);
  if (v6 === undefined) return undefined;
  return v6 >> 32n === 0xffffn ? { bits: 32, value: v6 & 0xffffffffn } : { bits: 128, value: v6 };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    // A leading zero is octal to some parsers: one text, one address.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const v4 = dotted?.[2] === undefined ? undefined : parseV4(dotted[2]);
  if (dotted !== null && v4 === undefined) return undefined;
  const plain = v4 === undefined ? text : `${dotted?.[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
