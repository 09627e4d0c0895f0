import { HoldfastError } from '@holdfast/kernel';

/** `bytes` without the leading count; the last `unusedBits` bits of the last byte are zero. */
export interface BitString {
  readonly bytes: Uint8Array;
  readonly unusedBits: number;
}

/** @throws `wire.malformed` for a count over 7, a count without bits, or padding that is not zero (X.690 11.2.1). */
export function decodeBitString(content: Uint8Array, field: string, offset: number): BitString {
  const unusedBits = content[0];
  const last = content[content.length - 1] ?? 0;
  const isBad =
    unusedBits === undefined ||
    unusedBits > 7 ||
    (content.length === 1 && unusedBits > 0) ||
    (content.length > 1 && (last & ((1 << unusedBits) - 1)) !== 0);
  if (isBad) throw new HoldfastError('wire.malformed', { field, offset, reason: 'bit string' });
  return { bytes: content.subarray(1), unusedBits };
}

/** Ascending order of encodings as DER sorts a SET OF (X.690 11.6). */
export function compareEncodings(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** @throws `wire.malformed` when empty or not in the fewest octets (X.690 8.3.2). */
export function checkInteger(content: Uint8Array, field: string, offset: number): void {
  const [first, second] = content;
  if (first === undefined) throw new HoldfastError('wire.malformed', { field, offset, reason: 'empty integer' });
  if (second === undefined) return;
  const isPadded = (first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80);
  if (isPadded) throw new HoldfastError('wire.malformed', { field, offset, reason: 'integer not minimal' });
}

/** Two's complement, big-endian. */
export function toBigInt(content: Uint8Array): bigint {
  let hex = '0x';
  for (const octet of content) hex += octet.toString(16).padStart(2, '0');
  const value = BigInt(hex);
  return (content[0] ?? 0) < 0x80 ? value : value - (1n << BigInt(8 * content.length));
}
