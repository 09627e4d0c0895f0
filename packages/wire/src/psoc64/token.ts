import {
  decodeBase64Url,
  encodeBase64Url,
  encodeUtf8,
  HoldfastError,
  isJsonObject,
  type JsonValue,
  parseStrictJson,
} from '@holdfast/kernel';

/** What a token says. */
export type TokenPayload = { readonly [claim: string]: JsonValue };

export interface SignedToken {
  readonly payload: TokenPayload;
  /** Header and payload as received: what the signature covers. */
  readonly covered: Uint8Array;
  /** r and s, 32 bytes each. */
  readonly signature: Uint8Array;
}

const HEADER = { alg: 'ES256', typ: 'JWT' };
const MAX_TOKEN = 262_144;

/** The bytes of an ES256 token that its signature covers (RFC 7515 5.1). */
export function encodeTokenInput(payload: TokenPayload): Uint8Array<ArrayBuffer> {
  const part = (value: JsonValue): string => encodeBase64Url(encodeUtf8(JSON.stringify(value)));
  return encodeUtf8(`${part(HEADER)}.${part(payload)}`);
}

/** The token from its covered bytes and signature. */
export function encodeToken(covered: Uint8Array, signature: Uint8Array): string {
  return `${new TextDecoder().decode(covered)}.${encodeBase64Url(signature)}`;
}

/**
 * Decodes a compact ES256 token. The algorithm is fixed by the chip, so that any other header is refused unread (RFC 8725
 * 3.1).
 *
 * @throws `wire.malformed`, `wire.duplicate`, `wire.too_large`, `wire.unsupported` for another header
 */
export function decodeToken(text: string): SignedToken {
  if (text.length > MAX_TOKEN) throw new HoldfastError('wire.too_large', { field: 'token', limit: MAX_TOKEN });
  const parts = text.split('.');
  const [header, payload, signature] = parts;
  if (header === undefined || payload === undefined || signature === undefined || parts.length !== 3)
    throw malformed('parts');
  const head = parseStrictJson(decodeBase64Url(header, 'header'));
  const isKnown =
    isJsonObject(head) &&
    Object.entries(head).every(
      ([name, value]) => Object.hasOwn(HEADER, name) && value === HEADER[name as keyof typeof HEADER],
    );
  if (!isKnown || head['alg'] !== HEADER.alg) throw new HoldfastError('wire.unsupported', { field: 'token header' });
  const claims = parseStrictJson(decodeBase64Url(payload, 'payload'));
  if (!isJsonObject(claims)) throw malformed('payload');
  const bytes = decodeBase64Url(signature, 'signature');
  if (bytes.length !== 64) throw malformed('signature');
  return { payload: claims, covered: encodeUtf8(`${header}.${payload}`), signature: bytes };
}

/** A P-256 key as the policy and its tokens name it. @param point - X and Y, 32 bytes each. */
export function psoc64Jwk(point: Uint8Array, keyId?: number): TokenPayload {
  return {
    alg: HEADER.alg,
    kty: 'EC',
    crv: 'P-256',
    use: 'sig',
    ...(keyId === undefined ? {} : { kid: String(keyId) }),
    x: encodeBase64Url(point.subarray(0, 32)),
    y: encodeBase64Url(point.subarray(32)),
  };
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field: 'token', reason: field });
}
