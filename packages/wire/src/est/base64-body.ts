import { decodeBase64, encodeBase64, HoldfastError } from '@holdfast/kernel';
import { decodePemBlocks } from '../pem/index.ts';

/** `wrapped`: lines of 64 that end in LF; `single`: one line. No single form satisfies all stock clients. */
export type EstBase64Form = 'wrapped' | 'single';

const LINE = 64;
const MAX_BODY = 64 * 1024;

/** An EST payload: base64 of DER (RFC 8951 section 3). */
export function encodeEstBody(der: Uint8Array, form: EstBase64Form): string {
  const text = encodeBase64(der);
  if (form === 'single') return `${text}\n`;
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE) lines.push(text.slice(at, at + LINE));
  return `${lines.join('\n')}\n`;
}

/**
 * The DER of an EST payload. CR, LF, space and tab are ignored (RFC 8951 3.1), PEM armour as openssl writes it is
 * taken off; a Content-Transfer-Encoding header never matters.
 *
 * @throws `wire.malformed` for anything else, an empty body included; `wire.too_large` over 64 KiB
 */
export function decodeEstBody(body: Uint8Array): Uint8Array {
  if (body.length > MAX_BODY) throw new HoldfastError('wire.too_large', { field: 'est body', limit: MAX_BODY });
  const text = asciiText(body);
  if (text.trimStart().startsWith('-----BEGIN ')) return onlyBlock(text);
  const der = decodeBase64(text.replace(/[\r\n \t]+/g, ''), 'est body');
  if (der.length === 0) throw new HoldfastError('wire.malformed', { field: 'est body', reason: 'empty' });
  return der;
}

function onlyBlock(text: string): Uint8Array {
  const [block, ...others] = decodePemBlocks(text);
  if (block === undefined || others.length > 0) throw new HoldfastError('wire.malformed', { field: 'est body' });
  return block.bytes;
}

function asciiText(body: Uint8Array): string {
  let text = '';
  for (const byte of body) {
    if (byte > 0x7e) throw new HoldfastError('wire.malformed', { field: 'est body', reason: 'not base64' });
    text += String.fromCharCode(byte);
  }
  return text;
}
