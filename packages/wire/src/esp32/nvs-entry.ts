import { ByteReader, ByteWriter, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import { crc32 } from './crc32.ts';

/** Type codes of ESP-IDF nvs_types.hpp and the width of those that fit the entry itself. */
export const NVS_TYPE = { u8: 0x01, u16: 0x02, u32: 0x04, string: 0x21, blobData: 0x42, blobIndex: 0x48 } as const;

const CHUNK_ANY = 0xff;
const ERASED = 0xff;
const CRC_START = 0;
const KEY_LENGTH = 16;
const ENTRY_LENGTH = 32;
const NUMBER_LIMIT: Readonly<Record<number, number>> = {
  [NVS_TYPE.u8]: 0xff,
  [NVS_TYPE.u16]: 0xffff,
  [NVS_TYPE.u32]: 0xffffffff,
};

/** The 32 bytes that begin an item. */
export interface NvsHeader {
  readonly namespace: number;
  readonly type: number;
  /** How many entries the item takes, this one included. */
  readonly span: number;
  readonly chunk: number;
  readonly key: string;
  /** The last eight bytes: a number, or size and checksum of what follows. */
  readonly data: Uint8Array;
}

/** @throws `wire.malformed` for a key that is empty, has a NUL or takes more than 15 bytes */
export function encodeNvsHeader(header: Omit<NvsHeader, 'chunk'> & { readonly chunk?: number }): Uint8Array {
  const key = encodeUtf8(header.key);
  if (key.length === 0 || key.length >= KEY_LENGTH || key.includes(0)) {
    throw new HoldfastError('wire.malformed', { field: 'key', length: key.length });
  }
  const writer = new ByteWriter(ENTRY_LENGTH);
  writer
    .u8(header.namespace)
    .u8(header.type)
    .u8(header.span)
    .u8(header.chunk ?? CHUNK_ANY);
  writer
    .u32le(0)
    .bytes(key)
    .fill(0, KEY_LENGTH - key.length);
  writer.bytes(header.data).fill(ERASED, 8 - header.data.length);
  const bytes = writer.finish();
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, checksum(bytes), true);
  return bytes;
}

/** @throws `boot.checksum_mismatch`, `wire.malformed` */
export function decodeNvsHeader(entry: Uint8Array, offset: number): NvsHeader {
  const reader = new ByteReader(entry);
  const namespace = reader.u8('namespace');
  const type = reader.u8('type');
  const span = reader.u8('span');
  const chunk = reader.u8('chunk');
  if (reader.u32le('crc') !== checksum(entry)) {
    throw new HoldfastError('boot.checksum_mismatch', { field: 'entry', offset });
  }
  const key = keyOf(reader.take(KEY_LENGTH, 'key'), offset);
  return { namespace, type, span, chunk, key, data: reader.take(8, 'data') };
}

/** @throws `wire.malformed` for a number that does not fit its type or bytes behind it that are not erased */
export function readNvsNumber({ type, data, span, chunk }: NvsHeader, offset: number): number {
  const view = new DataView(data.buffer, data.byteOffset);
  const width = type;
  const value = width === 1 ? view.getUint8(0) : width === 2 ? view.getUint16(0, true) : view.getUint32(0, true);
  const rest = data.subarray(width);
  if (span !== 1 || chunk !== CHUNK_ANY || rest.some((byte) => byte !== ERASED)) {
    throw new HoldfastError('wire.malformed', { field: 'number', offset });
  }
  return value;
}

/** @throws `wire.malformed` when the value is no whole number of that width */
export function numberData(type: number, value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > (NUMBER_LIMIT[type] ?? -1)) {
    throw new HoldfastError('wire.malformed', { field: 'number' });
  }
  const data = new Uint8Array(type);
  for (let at = 0; at < type; at++) data[at] = Math.floor(value / 256 ** at) & 0xff;
  return data;
}

/** Size and checksum of the bytes in the entries behind a header. */
export function sizeData(value: Uint8Array): Uint8Array {
  return new ByteWriter(16).u16le(value.length).fill(ERASED, 2).u32le(crc32(value, CRC_START)).finish();
}

/** The bytes behind a header, checked. @throws `boot.checksum_mismatch`, `wire.malformed` */
export function readSized(header: NvsHeader, following: Uint8Array, offset: number): Uint8Array {
  const reader = new ByteReader(header.data);
  const size = reader.u16le('size');
  const reserved = reader.take(2, 'reserved');
  if (header.span !== 1 + Math.ceil(size / ENTRY_LENGTH) || reserved.some((byte) => byte !== ERASED)) {
    throw new HoldfastError('wire.malformed', { field: 'span', offset });
  }
  const value = following.subarray(0, size);
  if (reader.u32le('crc') !== crc32(value, CRC_START)) {
    throw new HoldfastError('boot.checksum_mismatch', { field: 'value', offset });
  }
  if (following.subarray(size).some((byte) => byte !== ERASED)) {
    throw new HoldfastError('wire.malformed', { field: 'padding', offset });
  }
  return value;
}

/** Over the whole entry but the checksum itself. */
function checksum(entry: Uint8Array): number {
  const covered = new Uint8Array(28);
  covered.set(entry.subarray(0, 4));
  covered.set(entry.subarray(8, ENTRY_LENGTH), 4);
  return crc32(covered, CRC_START);
}

function keyOf(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0);
  const isGood = end > 0 && bytes.subarray(end).every((byte) => byte === 0);
  if (!isGood || bytes.subarray(0, end).some((byte) => byte < 0x21 || byte > 0x7e)) {
    throw new HoldfastError('wire.malformed', { field: 'key', offset });
  }
  return String.fromCharCode(...bytes.subarray(0, end));
}
