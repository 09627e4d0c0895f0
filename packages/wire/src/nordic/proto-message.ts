import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';

/** How one field of a message may stand on the wire. */
export interface ProtoField {
  readonly number: number;
  /** A whole number of 32 bits, or bytes with their length before them. */
  readonly type: 'varint' | 'bytes';
  /** How often at most; once when absent. */
  readonly atMost?: number;
}

export type ProtoSpec = Readonly<Record<string, ProtoField>>;
/** The values of a message by field name, in the order found. */
export type ProtoValues<Spec extends ProtoSpec> = {
  readonly [Name in keyof Spec]: readonly (Spec[Name]['type'] extends 'varint' ? number : Uint8Array)[];
};

const WIRE_TYPES = { varint: 0, bytes: 2 } as const;

/**
 * Reads a Protocol Buffers message in its one canonical form: known fields, ascending, each as often as allowed, numbers
 * in the fewest bytes. Readers differ on anything else (last value wins, first wins, unknown fields kept or dropped).
 *
 * @throws `wire.truncated`, `wire.malformed`, `wire.duplicate`, `wire.unsupported` for a field outside `spec`
 * @see Protocol Buffers, Encoding
 */
export function readProtoMessage<const Spec extends ProtoSpec>(bytes: Uint8Array, spec: Spec): ProtoValues<Spec> {
  const values: Record<string, (number | Uint8Array)[]> = {};
  for (const name of Object.keys(spec)) values[name] = [];
  const reader = new ByteReader(bytes);
  let last = 0;
  while (reader.remaining > 0) {
    const { offset } = reader;
    const key = readVarint(reader, 'field key');
    const number = key >>> 3;
    const found = Object.entries(spec).find(([, row]) => row.number === number);
    if (found === undefined) throw new HoldfastError('wire.unsupported', { field: 'protobuf field', offset, number });
    const [name, { type, atMost = 1 }] = found;
    if ((key & 7) !== WIRE_TYPES[type] || number < last) throw malformed(name, offset);
    last = number;
    const list = values[name] ?? [];
    if (list.length === atMost) throw new HoldfastError('wire.duplicate', { field: name, offset });
    list.push(type === 'varint' ? readVarint(reader, name) : reader.take(readVarint(reader, name), name));
  }
  // The loop above put into each list what the type of its row says.
  return values as unknown as ProtoValues<Spec>;
}

/** Numbers one after the other, as a packed field holds them. @throws `wire.malformed`, `wire.too_large` over `limit` */
export function readPacked(bytes: Uint8Array, field: string, limit: number): number[] {
  const reader = new ByteReader(bytes);
  const numbers: number[] = [];
  while (reader.remaining > 0) {
    if (numbers.length === limit) throw new HoldfastError('wire.too_large', { field, limit });
    numbers.push(readVarint(reader, field));
  }
  return numbers;
}

/** A number of 32 bits, seven a byte, least significant first. @throws `wire.malformed` for a longer form */
function readVarint(reader: ByteReader, field: string): number {
  const { offset } = reader;
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = reader.u8(field);
    value += (byte & 0x7f) * 2 ** shift;
    if (byte >= 0x80) continue;
    if ((byte === 0 && shift > 0) || value > 0xffffffff) break;
    return value;
  }
  throw malformed(field, offset);
}

/** Writes the fields of a message in the order they are given. */
export class ProtoWriter {
  readonly #writer = new ByteWriter(256);

  varint(number: number, value: number): this {
    this.#number(number * 8).#number(value);
    return this;
  }

  bytes(number: number, value: Uint8Array): this {
    this.#number(number * 8 + 2).#number(value.length);
    this.#writer.bytes(value);
    return this;
  }

  packed(number: number, values: readonly number[]): this {
    const inner = new ProtoWriter();
    for (const value of values) inner.#number(value);
    return this.bytes(number, inner.finish());
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#writer.finish();
  }

  #number(value: number): this {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#writer.u8((rest & 0x7f) | 0x80);
    this.#writer.u8(rest);
    return this;
  }
}

function malformed(field: string, offset: number): HoldfastError {
  return new HoldfastError('wire.malformed', { field, offset, reason: 'protobuf' });
}
