import { HoldfastError } from '@holdfast/kernel';
import { decodeOid } from './oid.ts';
import { type BitString, checkInteger, compareEncodings, decodeBitString, toBigInt } from './primitives.ts';
import { decodeDerString } from './strings.ts';
import { TAG } from './tags.ts';
import { decodeGeneralizedTime, decodeUtcTime } from './time.ts';
import { checkUniversal } from './universal.ts';

const MAX_DEPTH = 32;
const MAX_SAFE_INTEGER_OCTETS = 6;

/** One tag, length, value; `content` and `raw` are views of the input. */
export class DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Of the tag, in the outermost input. */
  readonly offset: number;
  readonly #bytes: Uint8Array;

  constructor(tag: number, bytes: Uint8Array, offset: number, content: Uint8Array) {
    this.tag = tag;
    this.content = content;
    this.offset = offset;
    this.#bytes = bytes;
  }

  /** Tag and length included; made when asked for, since most readers want the content alone. */
  get raw(): Uint8Array {
    const end = this.content.byteOffset + this.content.length - this.#bytes.byteOffset;
    return this.#bytes.subarray(this.offset, end);
  }
}

/** A time and the type that carried it, since RFC 5280 4.1.2.5 ties the type to the year. */
export interface DerTime {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly generalized: boolean;
}

/**
 * Reads DER (X.690 section 10) in order, without copying.
 *
 * Definite lengths in the fewest octets only, single-octet tags only, at most 32 levels.
 *
 * @throws `wire.truncated`, `wire.malformed`, `wire.too_large` or `wire.trailing_bytes`, naming field and offset.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, depth = 0) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = depth;
  }

  get offset(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The next identifier octet, or -1 at the end. */
  peekTag(): number {
    return this.#at < this.#end ? (this.#bytes[this.#at] ?? -1) : -1;
  }

  /** The next element, whatever its tag; only its own header is checked. */
  element(field: string): DerElement {
    const offset = this.#at;
    const tag = this.#octet(offset, field);
    if ((tag & 0x1f) === 0x1f)
      throw new HoldfastError('wire.unsupported', { field, offset, reason: 'high tag number' });
    const first = this.#octet(offset + 1, field);
    const [length, headerLength] = first < 0x80 ? [first, 2] : this.#longLength(offset, first, field);
    const start = offset + headerLength;
    const remaining = this.#end - start;
    if (length > remaining) throw new HoldfastError('wire.truncated', { field, offset, needed: length, remaining });
    this.#at = start + length;
    return new DerElement(tag, this.#bytes, offset, this.#bytes.subarray(start, this.#at));
  }

  expect(tag: number, field: string): DerElement {
    if (this.peekTag() !== tag) throw this.#unexpected(tag, field);
    return this.element(field);
  }

  /** A reader over the content of the next element, which must have this tag. */
  enter(tag: number, field: string): DerReader {
    const { content } = this.expect(tag, field);
    return this.#within(content.length, field);
  }

  enterOptional(tag: number, field: string): DerReader | undefined {
    return this.peekTag() === tag ? this.enter(tag, field) : undefined;
  }

  sequence(field: string): DerReader {
    return this.enter(TAG.sequence, field);
  }

  /** Reads SEQUENCE OF; `limit` bounds how many. */
  sequenceOf<T>(field: string, read: (item: DerReader) => T, limit = 65_536): T[] {
    return this.sequence(field).rest(field, read, limit);
  }

  /** Reads SET OF and demands ascending encodings (X.690 11.6), so that one set has one encoding. */
  setOf<T>(field: string, read: (item: DerReader) => T, tag: number = TAG.set): T[] {
    this.#checkSetOrder(tag, field);
    return this.enter(tag, field).rest(field, read, 65_536);
  }

  /** Reads items until this reader ends. */
  rest<T>(field: string, read: (item: DerReader) => T, limit = 65_536): T[] {
    const items: T[] = [];
    while (!this.isAtEnd) {
      if (items.length === limit) throw new HoldfastError('wire.too_large', { field, limit });
      items.push(read(this));
    }
    return items;
  }

  /** The raw bytes of the next element, checked to be DER down to its leaves. */
  any(field: string): Uint8Array {
    const element = this.element(field);
    checkUniversal(element, field);
    if ((element.tag & 0x20) !== 0) {
      const inner = this.#within(element.content.length, field);
      while (!inner.isAtEnd) inner.any(field);
    }
    return element.raw;
  }

  boolean(field: string): boolean {
    const { content, offset } = this.expect(TAG.boolean, field);
    if (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) {
      throw new HoldfastError('wire.malformed', { field, offset, reason: 'boolean' });
    }
    return content[0] === 0xff;
  }

  /** BOOLEAN DEFAULT FALSE: absent is false, and an encoded FALSE is refused (X.690 11.5). */
  defaultFalse(field: string): boolean {
    if (this.peekTag() !== TAG.boolean) return false;
    const { offset } = this;
    if (!this.boolean(field)) throw new HoldfastError('wire.malformed', { field, offset, reason: 'encoded default' });
    return true;
  }

  /** Two's complement content in the fewest octets, at least one. */
  integerBytes(field: string, tag: number = TAG.integer): Uint8Array {
    const { content, offset } = this.expect(tag, field);
    checkInteger(content, field, offset);
    return content;
  }

  integer(field: string, tag: number = TAG.integer): bigint {
    return toBigInt(this.integerBytes(field, tag));
  }

  /** A non-negative INTEGER no larger than `limit`. */
  uint(field: string, limit = Number.MAX_SAFE_INTEGER, tag: number = TAG.integer): number {
    const { offset } = this;
    const content = this.integerBytes(field, tag);
    if ((content[0] ?? 0) >= 0x80) throw new HoldfastError('wire.malformed', { field, offset, reason: 'negative' });
    let value = 0;
    for (const octet of content) value = value * 256 + octet;
    if (content.length > MAX_SAFE_INTEGER_OCTETS + 1 || value > limit) {
      throw new HoldfastError('wire.too_large', { field, offset, limit });
    }
    return value;
  }

  null(field: string): void {
    const { content, offset } = this.expect(TAG.null, field);
    if (content.length > 0) throw new HoldfastError('wire.malformed', { field, offset, reason: 'null' });
  }

  /** Dotted decimal. */
  oid(field: string, tag: number = TAG.oid): string {
    const { content, offset } = this.expect(tag, field);
    return decodeOid(content, field, offset);
  }

  octetString(field: string, tag: number = TAG.octetString): Uint8Array {
    return this.expect(tag, field).content;
  }

  bitString(field: string, tag: number = TAG.bitString): BitString {
    const { content, offset } = this.expect(tag, field);
    return decodeBitString(content, field, offset);
  }

  /** A BIT STRING that holds whole octets. */
  octetBitString(field: string, tag: number = TAG.bitString): Uint8Array {
    const { offset } = this;
    const { bytes, unusedBits } = this.bitString(field, tag);
    if (unusedBits > 0) throw new HoldfastError('wire.malformed', { field, offset, reason: 'unused bits' });
    return bytes;
  }

  /** UTCTime or GeneralizedTime in the DER form: seconds present, no fraction, Z. */
  time(field: string): DerTime {
    const generalized = this.peekTag() === TAG.generalizedTime;
    return generalized
      ? { at: this.generalizedTime(field), generalized }
      : { at: decodeUtcTime(this.expect(TAG.utcTime, field), field), generalized };
  }

  /** Milliseconds since the Unix epoch. */
  generalizedTime(field: string): number {
    return decodeGeneralizedTime(this.expect(TAG.generalizedTime, field), field);
  }

  /** Any character string type as text. */
  string(field: string): string {
    return decodeDerString(this.element(field), field);
  }

  /** An IA5String's text, also under an implicit tag. */
  ia5String(field: string, tag: number = TAG.ia5String): string {
    const { content, offset } = this.expect(tag, field);
    return decodeDerString({ tag: TAG.ia5String, content, offset }, field);
  }

  /** @throws `wire.trailing_bytes` when something is left. */
  end(field: string): void {
    if (this.isAtEnd) return;
    throw new HoldfastError('wire.trailing_bytes', { field, offset: this.#at, remaining: this.#end - this.#at });
  }

  #octet(at: number, field: string): number {
    const octet = at < this.#end ? this.#bytes[at] : undefined;
    if (octet === undefined) throw new HoldfastError('wire.truncated', { field, offset: at, needed: 1, remaining: 0 });
    return octet;
  }

  #longLength(offset: number, first: number, field: string): [length: number, headerLength: number] {
    const count = first & 0x7f;
    if (count === 0) throw new HoldfastError('wire.malformed', { field, offset, reason: 'indefinite length' });
    if (count > 4) throw new HoldfastError('wire.too_large', { field, offset, limit: 4 });
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#octet(offset + 2 + i, field);
    const isMinimal = length >= 0x80 && length >= 256 ** (count - 1);
    if (!isMinimal) throw new HoldfastError('wire.malformed', { field, offset, reason: 'length not minimal' });
    return [length, 2 + count];
  }

  /** A reader over the `length` octets just passed. */
  #within(length: number, field: string): DerReader {
    if (this.#depth === MAX_DEPTH) throw new HoldfastError('wire.too_large', { field, limit: MAX_DEPTH });
    return new DerReader(this.#bytes, this.#at - length, this.#at, this.#depth + 1);
  }

  #checkSetOrder(tag: number, field: string): void {
    const items = new DerReader(this.#bytes, this.#at, this.#end, this.#depth).enter(tag, field);
    let previous: Uint8Array | undefined;
    while (!items.isAtEnd) {
      const { raw, offset } = items.element(field);
      if (previous !== undefined && compareEncodings(previous, raw) > 0) {
        throw new HoldfastError('wire.malformed', { field, offset, reason: 'set order' });
      }
      previous = raw;
    }
  }

  #unexpected(expected: number, field: string): HoldfastError {
    const found = this.peekTag();
    if (found < 0) {
      return new HoldfastError('wire.truncated', { field, offset: this.#at, needed: 2, remaining: 0 });
    }
    return new HoldfastError('wire.malformed', { field, offset: this.#at, reason: 'tag', expected, found });
  }
}

/** Reads one value and demands that nothing follows it. */
export function decodeDer<T>(bytes: Uint8Array, field: string, read: (reader: DerReader) => T): T {
  const reader = new DerReader(bytes);
  const value = read(reader);
  reader.end(field);
  return value;
}
