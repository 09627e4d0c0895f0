import { HoldfastError } from '@holdfast/kernel';

const MAX_CONTENT = 128;
const MAX_ARC = 19; // 133 bits: enough for the 128-bit UUID arcs under 2.25 (X.667).
const ENCODED = new Map<string, Uint8Array>();

/**
 * Dotted decimal from the content octets of an OBJECT IDENTIFIER.
 *
 * @throws `wire.malformed` when empty, cut inside an arc, or an arc has leading 0x80 padding (X.690 8.19.2).
 */
export function decodeOid(content: Uint8Array, field: string, offset = 0): string {
  if (content.length > MAX_CONTENT) throw new HoldfastError('wire.too_large', { field, offset, limit: MAX_CONTENT });
  const arcs: string[] = [];
  for (let at = 0; at < content.length; ) {
    const start = at;
    while (at < content.length && (content[at] ?? 0) >= 0x80) at++;
    if (at === content.length || content[start] === 0x80) {
      throw new HoldfastError('wire.malformed', { field, offset, reason: 'object identifier' });
    }
    at++;
    if (at - start > MAX_ARC) throw new HoldfastError('wire.too_large', { field, offset, limit: MAX_ARC });
    arcs.push(...arcText(content.subarray(start, at), arcs.length === 0));
  }
  if (arcs.length === 0) throw new HoldfastError('wire.malformed', { field, offset, reason: 'object identifier' });
  return arcs.join('.');
}

/**
 * Content octets of an OBJECT IDENTIFIER.
 *
 * @throws `wire.malformed` when the text is not two or more arcs with the first in 0-2 and the second under 40 below 2.
 */
export function encodeOidContent(oid: string): Uint8Array {
  const known = ENCODED.get(oid);
  if (known !== undefined) return known;
  const content = contentOf(oid);
  if (ENCODED.size < 1024) ENCODED.set(oid, content);
  return content;
}

function contentOf(oid: string): Uint8Array {
  if (!/^[012](\.(0|[1-9]\d{0,39}))+$/.test(oid)) throw new HoldfastError('wire.malformed', { field: 'oid' });
  const [first = 0n, second = 0n, ...others] = oid.split('.').map(BigInt);
  if (first < 2n && second >= 40n) throw new HoldfastError('wire.malformed', { field: 'oid' });
  return Uint8Array.from([first * 40n + second, ...others].flatMap(arcOctets));
}

function arcText(octets: Uint8Array, isFirst: boolean): string[] {
  let value = 0n;
  for (const octet of octets) value = (value << 7n) | BigInt(octet & 0x7f);
  if (!isFirst) return [value.toString()];
  const top = value < 80n ? value / 40n : 2n;
  return [top.toString(), (value - top * 40n).toString()];
}

function arcOctets(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
  return octets;
}
