import { HoldfastError } from '@holdfast/kernel';
import {
  type CborForm,
  type CborMap,
  type CborValue,
  cborTagged,
  decodeCbor,
  decodeCborMap,
  encodeCbor,
  isCborMap,
  isCborTagged,
} from '../cbor/index.ts';

/** Header labels and algorithms of the IANA COSE registry. */
export const COSE_HEADER = { alg: 1, crit: 2, contentType: 3, kid: 4, x5chain: 33 } as const;
export const COSE_ALGORITHM = { ES256: -7, EdDSA: -8, ES384: -35, ES512: -36, PS256: -37, RS256: -257 } as const;
export type CoseAlgorithm = keyof typeof COSE_ALGORITHM;

const TAG_SIGN1 = 18;
const TAG_CWT = 61;
const MAX_CHAIN = 6;

export interface Sign1 {
  /** The protected header exactly as sent: the signature covers these bytes. */
  readonly protectedBytes: Uint8Array;
  readonly algorithm: CoseAlgorithm;
  /** Certificates (DER), leaf first; empty when the header has none. */
  readonly chain: readonly Uint8Array[];
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Sign1Options {
  readonly form?: CborForm;
}

/**
 * Decodes a COSE_Sign1 with attached payload, with or without tags 18 and 61.
 *
 * A label in both headers, `crit`, or an algorithm outside the table is refused.
 *
 * @throws `wire.malformed`, `wire.truncated`, `wire.trailing_bytes`, `wire.too_large`
 * @throws `wire.unsupported` for a detached payload or an unknown algorithm
 * @see RFC 9052 section 4.2, RFC 9360 section 2 (x5chain), RFC 8392 section 6 (tag 61)
 */
export function decodeSign1(bytes: Uint8Array, { form = 'strict' }: Sign1Options = {}): Sign1 {
  const [protectedBytes, unprotected, payload, signature] = messageParts(
    decodeCbor(bytes, { form, tags: [TAG_SIGN1, TAG_CWT] }),
  );
  if (payload === null) throw new HoldfastError('wire.unsupported', { field: 'payload', reason: 'detached' });
  if (!(protectedBytes instanceof Uint8Array && payload instanceof Uint8Array && signature instanceof Uint8Array)) {
    throw malformed('message');
  }
  if (!isCborMap(unprotected)) throw malformed('unprotected');
  const header = protectedBytes.length === 0 ? new Map<number, CborValue>() : decodeCborMap(protectedBytes, { form });
  for (const label of unprotected.keys())
    if (header.has(label)) throw new HoldfastError('wire.duplicate', { field: 'header label' });
  if (header.has(COSE_HEADER.crit) || unprotected.has(COSE_HEADER.crit)) {
    throw new HoldfastError('wire.unsupported', { field: 'crit' });
  }
  return {
    protectedBytes,
    algorithm: algorithmOf(header),
    chain: chainOf(header.get(COSE_HEADER.x5chain) ?? unprotected.get(COSE_HEADER.x5chain)),
    payload,
    signature,
  };
}

/** The protected header of a Sign1 made here: the algorithm, and the chain so that the signature covers it. */
export function encodeProtectedHeader(algorithm: CoseAlgorithm, chain: readonly Uint8Array[]): Uint8Array {
  const header = new Map<number, CborValue>([[COSE_HEADER.alg, COSE_ALGORITHM[algorithm]]]);
  const [leaf] = chain;
  if (leaf !== undefined) header.set(COSE_HEADER.x5chain, chain.length === 1 ? leaf : chain);
  return encodeCbor(header);
}

/** The bytes a Sign1 signature covers. @see RFC 9052 section 4.4 */
export function sign1ToBeSigned(
  protectedBytes: Uint8Array,
  payload: Uint8Array,
  external = new Uint8Array(),
): Uint8Array {
  return encodeCbor(['Signature1', protectedBytes, external, payload]);
}

/** A tagged (18) COSE_Sign1 from its parts. */
export function encodeSign1(protectedBytes: Uint8Array, payload: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeCbor(cborTagged(TAG_SIGN1, [protectedBytes, new Map(), payload, signature]));
}

function messageParts(value: CborValue): readonly CborValue[] {
  const inCwt = isCborTagged(value) && value.tag === TAG_CWT;
  const inner = inCwt ? value.value : value;
  const tagged = isCborTagged(inner);
  if (tagged && inner.tag !== TAG_SIGN1) throw malformed('tag');
  // RFC 8392 section 6: tag 61 must be followed by a COSE tag.
  if (inCwt && !tagged) throw malformed('tag');
  const parts = tagged ? inner.value : inner;
  if (!Array.isArray(parts) || parts.length !== 4) throw malformed('message');
  return parts as readonly CborValue[];
}

function algorithmOf(header: CborMap): CoseAlgorithm {
  const id = header.get(COSE_HEADER.alg);
  for (const [name, value] of Object.entries(COSE_ALGORITHM)) if (value === id) return name as CoseAlgorithm;
  throw new HoldfastError('wire.unsupported', { field: 'alg' });
}

function chainOf(value: CborValue | undefined): readonly Uint8Array[] {
  if (value === undefined) return [];
  if (value instanceof Uint8Array) return [value];
  // RFC 9360: an array holds two certificates or more.
  if (!Array.isArray(value) || value.length < 2) throw malformed('x5chain');
  if (value.length > MAX_CHAIN) throw new HoldfastError('wire.too_large', { field: 'x5chain', limit: MAX_CHAIN });
  return value.map((each: CborValue) => {
    if (!(each instanceof Uint8Array)) throw malformed('x5chain');
    return each;
  });
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field });
}
