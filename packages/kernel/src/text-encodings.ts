import { HoldfastError } from './errors/index.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** @throws `wire.malformed` for an odd length or a character outside 0-9, a-f, A-F. */
export function decodeHex(text: string, field = 'hex'): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new HoldfastError('wire.malformed', { field });
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return encode64(bytes, BASE64, true);
}

/** Base64url without padding (RFC 4648 section 5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encode64(bytes, BASE64URL, false);
}

/**
 * Strict base64: standard alphabet, right padding, zero spare bits, no white space.
 *
 * @throws `wire.malformed` otherwise, so that one value has one text.
 */
export function decodeBase64(text: string, field = 'base64'): Uint8Array<ArrayBuffer> {
  const unpadded = text.endsWith('==') ? text.slice(0, -2) : text.endsWith('=') ? text.slice(0, -1) : text;
  if (text.length % 4 !== 0) throw new HoldfastError('wire.malformed', { field, reason: 'length' });
  return decode64(unpadded, BASE64_VALUES, field);
}

/** Strict base64url without padding. @throws `wire.malformed` */
export function decodeBase64Url(text: string, field = 'base64url'): Uint8Array<ArrayBuffer> {
  return decode64(text, BASE64URL_VALUES, field);
}

const BASE64_VALUES = valuesOf(BASE64);
const BASE64URL_VALUES = valuesOf(BASE64URL);

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

function encode64(bytes: Uint8Array, alphabet: string, padded: boolean): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const b1 = bytes[i + 1];
    const b2 = bytes[i + 2];
    const word = ((bytes[i] ?? 0) << 16) | ((b1 ?? 0) << 8) | (b2 ?? 0);
    parts.push(alphabet.charAt(word >> 18), alphabet.charAt((word >> 12) & 63));
    if (b1 !== undefined) parts.push(alphabet.charAt((word >> 6) & 63));
    else if (padded) parts.push('=');
    if (b2 !== undefined) parts.push(alphabet.charAt(word & 63));
    else if (padded) parts.push('=');
  }
  return parts.join('');
}

function decode64(text: string, values: Int8Array, field: string): Uint8Array<ArrayBuffer> {
  const spare = text.length % 4;
  if (spare === 1) throw new HoldfastError('wire.malformed', { field, reason: 'length' });
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let at = 0;
  let word = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (values[code] ?? -1) : -1;
    if (value < 0) throw new HoldfastError('wire.malformed', { field, offset: i });
    word = ((word << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (word >> bits) & 0xff;
    }
  }
  if ((word & ((1 << bits) - 1)) !== 0) throw new HoldfastError('wire.malformed', { field, reason: 'spare bits' });
  return bytes;
}
