import { decodeUtf8, HoldfastError } from '@holdfast/kernel';
import { TAG } from './tags.ts';

interface StringElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly offset: number;
}

/** The character string types of X.680 with their alphabets. */
const DECODERS: Readonly<Record<number, (content: Uint8Array) => string | undefined>> = {
  [TAG.utf8String]: (content) => decodeUtf8(content, 'utf8String'),
  // X.680 41.4, and the asterisk and ampersand that issuers of the public web have long put there.
  [TAG.printableString]: (content) => matching(content, /^[A-Za-z0-9 '()+,\-./:=?*&]*$/),
  [TAG.numericString]: (content) => matching(content, /^[0-9 ]*$/),
  [TAG.ia5String]: ascii,
  [TAG.visibleString]: (content) => matching(content, /^[\x20-\x7e]*$/),
  // T.61 has no settled mapping; Latin-1 is what issuers that still use it mean.
  [TAG.teletexString]: latin1,
  [TAG.bmpString]: (content) => wide(content, 2),
  [TAG.universalString]: (content) => wide(content, 4),
};

/** @throws `wire.malformed` for another type or a character outside the type's alphabet. */
export function decodeDerString({ tag, content, offset }: StringElement, field: string): string {
  const text = DECODERS[tag]?.(content);
  if (text === undefined) throw new HoldfastError('wire.malformed', { field, offset, reason: 'character string' });
  return text;
}

function latin1(content: Uint8Array): string {
  let text = '';
  for (const octet of content) text += String.fromCharCode(octet);
  return text;
}

function ascii(content: Uint8Array): string | undefined {
  for (const octet of content) if (octet >= 0x80) return undefined;
  return latin1(content);
}

function matching(content: Uint8Array, alphabet: RegExp): string | undefined {
  const text = latin1(content);
  return alphabet.test(text) ? text : undefined;
}

function wide(content: Uint8Array, width: number): string | undefined {
  if (content.length % width !== 0) return undefined;
  let text = '';
  for (let at = 0; at < content.length; at += width) {
    let code = 0;
    for (let i = 0; i < width; i++) code = code * 256 + (content[at + i] ?? 0);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    text += String.fromCodePoint(code);
  }
  return text;
}
