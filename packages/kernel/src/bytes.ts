import { HoldfastError } from './errors/index.ts';

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/**
 * Reads fields in wire order from bytes it does not copy.
 *
 * Every read names its field, so that an error says what was missing and where.
 *
 * @throws `wire.truncated` from every read that asks for more than is left.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#advance(1, field));
  }

  u16le(field: string): number {
    return this.#view.getUint16(this.#advance(2, field), true);
  }

  u16be(field: string): number {
    return this.#view.getUint16(this.#advance(2, field), false);
  }

  u32le(field: string): number {
    return this.#view.getUint32(this.#advance(4, field), true);
  }

  u32be(field: string): number {
    return this.#view.getUint32(this.#advance(4, field), false);
  }

  u64le(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field), true);
  }

  u64be(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field), false);
  }

  /** A view of the next `length` bytes, not a copy. */
  take(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field);
    return this.bytes.subarray(start, start + length);
  }

  skip(length: number, field: string): void {
    this.#advance(length, field);
  }

  /** @throws `wire.trailing_bytes` when something is left. */
  end(field: string): void {
    if (this.remaining > 0) {
      throw new HoldfastError('wire.trailing_bytes', { field, offset: this.#offset, remaining: this.remaining });
    }
  }

  #advance(length: number, field: string): number {
    if (!(length >= 0) || length > this.remaining) {
      throw new HoldfastError('wire.truncated', {
        field,
        offset: this.#offset,
        needed: length,
        remaining: this.remaining,
      });
    }
    const start = this.#offset;
    this.#offset = start + length;
    return start;
  }
}

/** Writes fields in wire order into one growing buffer. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(Math.max(capacity, 16));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16le(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u16be(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, false);
    return this;
  }

  u32le(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u32be(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, false);
    return this;
  }

  u64be(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, false);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  fill(value: number, count: number): this {
    const at = this.#reserve(count);
    this.#bytes.fill(value, at, at + count);
    return this;
  }

  /** A view of what was written; valid until the next write. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): number {
    const start = this.#length;
    const needed = start + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return start;
  }
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Byte equality; the time depends on the content, so never for secrets (those use `timingSafeEqual` in crypto). */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}

/** @throws `wire.malformed` when the bytes are not well-formed UTF-8. */
export function decodeUtf8(bytes: Uint8Array, field = 'text'): string {
  try {
    return DECODER.decode(bytes);
  } catch (cause) {
    throw new HoldfastError('wire.malformed', { field, reason: 'utf-8' }, { cause });
  }
}
