import { concatBytes, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { encodeOidContent } from './oid.ts';
import { compareEncodings } from './primitives.ts';
import { contextConstructed, contextPrimitive, TAG } from './tags.ts';
import { timeDigits } from './time.ts';

type Der = Uint8Array<ArrayBuffer>;

/** Tag, length in the fewest octets, then the parts one after the other. */
export function encodeTlv(tag: number, ...parts: readonly Uint8Array[]): Der {
  return encodeParts(tag, parts);
}

/** SEQUENCE OF any number of encodings; the spread forms are for the few that fit a call. */
export function encodeSequenceOf(parts: readonly Uint8Array[]): Der {
  return encodeParts(TAG.sequence, parts);
}

function encodeParts(tag: number, parts: readonly Uint8Array[]): Der {
  let length = 0;
  for (const part of parts) length += part.length;
  const lengthOctets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4;
  const bytes = new Uint8Array(2 + lengthOctets + length);
  bytes[0] = tag;
  bytes[1] = lengthOctets === 0 ? length : 0x80 | lengthOctets;
  for (let i = 0; i < lengthOctets; i++) bytes[2 + i] = length / 256 ** (lengthOctets - 1 - i);
  let at = 2 + lengthOctets;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function encodeSequence(...parts: readonly Uint8Array[]): Der {
  return encodeTlv(TAG.sequence, ...parts);
}

/** SET OF: the parts in ascending order of their encodings (X.690 11.6). */
export function encodeSetOf(...parts: readonly Uint8Array[]): Der {
  return encodeTlv(TAG.set, ...[...parts].sort(compareEncodings));
}

/** `[number]` around whole encodings (EXPLICIT), or in place of a constructed type's tag given its content (IMPLICIT). */
export function encodeContext(number: number, ...parts: readonly Uint8Array[]): Der {
  return encodeTlv(contextConstructed(number), ...parts);
}

/** `[number]` in place of a primitive type's tag. */
export function encodeContextPrimitive(number: number, content: Uint8Array): Der {
  return encodeTlv(contextPrimitive(number), content);
}

export function encodeBoolean(value: boolean): Der {
  return Uint8Array.of(TAG.boolean, 1, value ? 0xff : 0x00);
}

export function encodeNull(): Der {
  return Uint8Array.of(TAG.null, 0);
}

export function encodeInteger(value: number | bigint): Der {
  return encodeTlv(TAG.integer, integerContent(BigInt(value)));
}

/** An INTEGER from big-endian magnitude octets, read as non-negative whatever the first bit. */
export function encodeUnsigned(magnitude: Uint8Array): Der {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const octets = magnitude.subarray(start);
  if (octets.length === 0) return Uint8Array.of(TAG.integer, 1, 0);
  return (octets[0] ?? 0) >= 0x80 ? encodeTlv(TAG.integer, Uint8Array.of(0), octets) : encodeTlv(TAG.integer, octets);
}

export function encodeEnumerated(value: number): Der {
  return encodeTlv(TAG.enumerated, integerContent(BigInt(value)));
}

export function encodeOid(oid: string): Der {
  return encodeTlv(TAG.oid, encodeOidContent(oid));
}

export function encodeOctetString(bytes: Uint8Array): Der {
  return encodeTlv(TAG.octetString, bytes);
}

export function encodeBitString(bytes: Uint8Array, unusedBits = 0): Der {
  return encodeTlv(TAG.bitString, Uint8Array.of(unusedBits), bytes);
}

/** A named bit list with trailing zero bits removed (X.690 11.2.2); `bits` are bit numbers. */
export function encodeNamedBits(bits: readonly number[]): Der {
  const highest = Math.max(-1, ...bits);
  const bytes = new Uint8Array(Math.ceil((highest + 1) / 8));
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return encodeBitString(bytes, (8 - ((highest + 1) % 8)) % 8);
}

export function encodeUtf8String(text: string): Der {
  return encodeTlv(TAG.utf8String, encodeUtf8(text));
}

/** @throws `wire.malformed` for a character outside the PrintableString alphabet. */
export function encodePrintableString(text: string): Der {
  if (!/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) {
    throw new HoldfastError('wire.malformed', { field: 'printableString' });
  }
  return encodeTlv(TAG.printableString, encodeUtf8(text));
}

/** @throws `wire.malformed` for a character outside 7-bit ASCII. */
export function encodeIa5String(text: string): Der {
  return encodeTlv(TAG.ia5String, ia5Content(text));
}

/** The octets of an IA5String for use under an implicit tag. @throws `wire.malformed` */
export function ia5Content(text: string): Der {
  const content = encodeUtf8(text);
  if (content.length !== text.length) throw new HoldfastError('wire.malformed', { field: 'ia5String' });
  return content;
}

/**
 * UTCTime for 1950-2049, GeneralizedTime otherwise (RFC 5280 4.1.2.5).
 *
 * @param at - milliseconds since the Unix epoch; cut to the second.
 */
export function encodeTime(at: number): Der {
  const digits = timeDigits(at);
  const year = Number(digits.slice(0, 4));
  return year >= 1950 && year < 2050
    ? encodeTlv(TAG.utcTime, encodeUtf8(`${digits.slice(2)}Z`))
    : encodeGeneralizedTime(at);
}

export function encodeGeneralizedTime(at: number): Der {
  return encodeTlv(TAG.generalizedTime, encodeUtf8(`${timeDigits(at)}Z`));
}

function integerContent(value: bigint): Der {
  const octets: number[] = [];
  let rest = value;
  do {
    octets.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (!((rest === 0n && (octets[0] ?? 0) < 0x80) || (rest === -1n && (octets[0] ?? 0) >= 0x80)));
  return concatBytes(Uint8Array.from(octets));
}
