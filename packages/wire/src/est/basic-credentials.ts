import { decodeBase64, decodeUtf8, HoldfastError } from '@holdfast/kernel';

export interface BasicCredentials {
  readonly name: string;
  readonly password: string;
}

const MAX_HEADER = 1024;
const CONTROL = /\p{Cc}/u;

/**
 * Name and password of HTTP Basic authentication (RFC 7617).
 *
 * The last colon parts them, not the first: serial numbers may have one, one-time passwords never do.
 *
 * @returns undefined for no header or another scheme
 * @throws `wire.malformed`, `wire.too_large` over 1 KiB
 */
export function decodeBasicCredentials(header: string | undefined): BasicCredentials | undefined {
  const given = /^basic +(\S+)$/i.exec(header ?? '')?.[1];
  if (given === undefined) return undefined;
  if (given.length > MAX_HEADER)
    throw new HoldfastError('wire.too_large', { field: 'authorization', limit: MAX_HEADER });
  const text = decodeUtf8(decodeBase64(given, 'authorization'), 'authorization');
  const colon = text.lastIndexOf(':');
  if (colon < 0 || CONTROL.test(text)) throw new HoldfastError('wire.malformed', { field: 'authorization' });
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
