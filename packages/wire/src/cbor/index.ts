import { decodeUtf8, HoldfastError } from '@holdfast/kernel';
import { encode, rfc8949EncodeOptions, Tagged, type Token, Tokenizer, tokensToObject, Type } from 'cborg';

export type CborKey = number | bigint | string;

/** What Holdfast's formats use of CBOR: no floats, no undefined, no simple values but booleans and null. */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTagged;

export type CborMap = ReadonlyMap<CborKey, CborValue>;

export interface CborTagged {
  readonly tag: number;
  readonly value: CborValue;
}

/**
 * `strict`: shortest form of every integer and length (RFC 8949 4.2.1).
 * `tolerant`: longer forms are taken too, which RFC 9783 demands of verifiers of PSA tokens and stock MQTT clients need.
 * Both refuse duplicate keys, indefinite lengths, trailing bytes, floats and unlisted tags.
 */
export type CborForm = 'strict' | 'tolerant';

export interface CborOptions {
  readonly form?: CborForm;
  /** Tags that may occur; none unless given. */
  readonly tags?: readonly number[];
}

const MAX_DEPTH = 16;

/**
 * Decodes one CBOR item.
 *
 * @throws `wire.malformed` for anything outside the form, `wire.too_large` for nesting over 16,
 * `wire.trailing_bytes` for bytes after the item.
 */
export function decodeCbor(bytes: Uint8Array, { form = 'strict', tags = [] }: CborOptions = {}): CborValue {
  const options = {
    strict: form === 'strict',
    allowIndefinite: false,
    allowUndefined: false,
    allowNaN: false,
    allowInfinity: false,
    allowBigInt: true,
    useMaps: true,
    rejectDuplicateMapKeys: true,
    retainStringBytes: true,
    tags: Object.fromEntries(tags.map((tag) => [tag, Tagged.decoder(tag)])),
  };
  const tokenizer = new GuardedTokenizer(plain(bytes), options);
  const value = guarded(() => tokensToObject(tokenizer, options) as unknown);
  if (tokenizer.pos() < bytes.length) {
    throw new HoldfastError('wire.trailing_bytes', { field: 'cbor', offset: tokenizer.pos() });
  }
  return accepted(value);
}

/** @throws `wire.malformed` when the item is not a map */
export function decodeCborMap(bytes: Uint8Array, options: CborOptions = {}): CborMap {
  const value = decodeCbor(bytes, options);
  if (!isCborMap(value)) throw new HoldfastError('wire.malformed', { field: 'cbor', reason: 'not a map' });
  return value;
}

/** Deterministic encoding (RFC 8949 4.2.1); plain objects are not taken, maps are. */
export function encodeCbor(value: CborValue): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encode(lowered(value), rfc8949EncodeOptions));
}

export function isCborMap(value: CborValue | undefined): value is CborMap {
  return value instanceof Map;
}

export function isCborTagged(value: CborValue | undefined): value is CborTagged {
  return value instanceof Tagged;
}

export function cborTagged(tag: number, value: CborValue): CborTagged {
  return new Tagged(tag, value);
}

/** Adds to cborg's tokenizer: bounded nesting, well-formed UTF-8, no floats. */
class GuardedTokenizer extends Tokenizer {
  readonly #left: number[] = [];

  override next(): Token {
    const token = super.next();
    if (Type.equals(token.type, Type.float))
      throw new HoldfastError('wire.malformed', { field: 'cbor', reason: 'float' });
    if (Type.equals(token.type, Type.string))
      token.value = decodeUtf8(token.byteValue ?? new Uint8Array(), 'cbor text');
    this.#count(token);
    return token;
  }

  #count(token: Token): void {
    const children = childrenOf(token);
    if (children > 0) {
      this.#left.push(children);
      if (this.#left.length > MAX_DEPTH) throw new HoldfastError('wire.too_large', { field: 'cbor', limit: MAX_DEPTH });
      return;
    }
    for (let top = this.#left.pop(); top !== undefined; top = this.#left.pop()) {
      if (top > 1) {
        this.#left.push(top - 1);
        return;
      }
    }
  }
}

function childrenOf(token: Token): number {
  if (Type.equals(token.type, Type.array)) return Number(token.value);
  if (Type.equals(token.type, Type.map)) return Number(token.value) * 2;
  return Type.equals(token.type, Type.tag) ? 1 : 0;
}

function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (HoldfastError.is(cause)) throw cause;
    throw new HoldfastError('wire.malformed', { field: 'cbor' }, { cause });
  }
}

/** cborg hands out symbols for an empty input and compares keys by identity, so byte-string keys could repeat. */
function accepted(value: unknown): CborValue {
  if (typeof value === 'symbol' || value === undefined) throw new HoldfastError('wire.truncated', { field: 'cbor' });
  if (value instanceof Tagged) accepted(value.value);
  else if (Array.isArray(value)) for (const each of value) accepted(each);
  else if (value instanceof Map) {
    for (const [key, member] of value) {
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') {
        throw new HoldfastError('wire.malformed', { field: 'cbor', reason: 'key' });
      }
      accepted(member);
    }
  }
  return value as CborValue;
}

/** Without this a Node Buffer that comes in would make Buffers come out. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function lowered(value: CborValue): unknown {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new HoldfastError('wire.malformed', { field: 'cbor', reason: 'not a safe integer' });
  }
  if (value instanceof Uint8Array) return plain(value);
  if (Array.isArray(value)) return value.map(lowered);
  if (isCborMap(value)) return new Map([...value].map(([key, member]) => [key, lowered(member)]));
  if (isCborTagged(value)) return new Tagged(value.tag, lowered(value.value));
  return value;
}
