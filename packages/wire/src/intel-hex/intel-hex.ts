import { ByteReader, ByteWriter, decodeHex, decodeUtf8, encodeHex, HoldfastError } from '@holdfast/kernel';

/** Bytes at an address. */
export interface HexSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

const RECORD = { data: 0, end: 1, segmentAddress: 2, segmentStart: 3, linearAddress: 4, linearStart: 5 } as const;
const BYTES_A_LINE = 16;
const ADDRESS_SPACE = 0x1_0000_0000;
const LINE = /^:(?:[0-9a-fA-F]{2}){5,260}$/;

/**
 * Decodes Intel HEX to one image from its lowest to its highest address; gaps read as `filling`.
 *
 * @param limit - greatest span in bytes, checked before anything is allocated.
 * @throws `boot.bad_hex` for a malformed line, a bad checksum, overlapping data, no data, or no end record.
 * @throws `wire.too_large` when the addresses span more than `limit`.
 * @see Intel Hexadecimal Object File Format Specification, revision A
 */
export function decodeIntelHex(
  bytes: Uint8Array,
  { limit = 64 * 1024 * 1024, filling = 0xff }: { readonly limit?: number; readonly filling?: number } = {},
): HexSegment {
  const segments = readSegments(bytes).toSorted((a, b) => a.address - b.address);
  const [first] = segments;
  const last = segments.at(-1);
  if (first === undefined || last === undefined) throw new HoldfastError('boot.bad_hex', { reason: 'no data' });
  const span = last.address + last.bytes.length - first.address;
  if (span > limit) throw new HoldfastError('wire.too_large', { field: 'address span', size: span, limit });
  const image = new Uint8Array(span).fill(filling);
  let end = first.address;
  for (const segment of segments) {
    if (segment.address < end) throw new HoldfastError('boot.bad_hex', { reason: 'overlap', address: segment.address });
    image.set(segment.bytes, segment.address - first.address);
    end = segment.address + segment.bytes.length;
  }
  return { address: first.address, bytes: image };
}

/**
 * Encodes segments as Intel HEX with 16 bytes a line.
 *
 * @throws `boot.bad_option` for an address outside 32 bits.
 */
export function encodeIntelHex(segments: readonly HexSegment[]): string {
  const lines: string[] = [];
  let upper = 0;
  for (const { address, bytes } of segments) {
    if (!Number.isInteger(address) || address < 0 || address + bytes.length > ADDRESS_SPACE) {
      throw new HoldfastError('boot.bad_option', { option: 'hex-addr', address });
    }
    let at = 0;
    while (at < bytes.length) {
      const here = address + at;
      if (here >>> 16 !== upper) {
        upper = here >>> 16;
        lines.push(encodeRecord(RECORD.linearAddress, 0, Uint8Array.of(upper >> 8, upper & 0xff)));
      }
      const length = Math.min(BYTES_A_LINE, bytes.length - at, 0x10000 - (here & 0xffff));
      lines.push(encodeRecord(RECORD.data, here & 0xffff, bytes.subarray(at, at + length)));
      at += length;
    }
  }
  lines.push(encodeRecord(RECORD.end, 0, new Uint8Array(0)));
  return `${lines.join('\n')}\n`;
}

function readSegments(bytes: Uint8Array): HexSegment[] {
  const segments: HexSegment[] = [];
  let base = 0;
  let ended = false;
  for (const [index, line] of decodeUtf8(bytes, 'intel hex').split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    if (ended) throw badLine(index, 'after the end');
    const { type, offset, data } = decodeRecord(line.trim(), index);
    if (type === RECORD.data) pushData(segments, { address: base + offset, bytes: data }, index);
    else if (type === RECORD.end) ended = true;
    else base = nextBase(type, data, base, index);
  }
  if (!ended) throw new HoldfastError('boot.bad_hex', { reason: 'no end record' });
  return segments;
}

function pushData(segments: HexSegment[], segment: HexSegment, index: number): void {
  if (segment.address + segment.bytes.length > ADDRESS_SPACE) throw badLine(index, 'address');
  if (segment.bytes.length > 0) segments.push(segment);
}

function nextBase(type: number, data: Uint8Array, base: number, index: number): number {
  const reader = new ByteReader(data);
  if (type === RECORD.segmentAddress && data.length === 2) return reader.u16be('segment') * 16;
  if (type === RECORD.linearAddress && data.length === 2) return reader.u16be('upper address') * 0x10000;
  if ((type === RECORD.segmentStart || type === RECORD.linearStart) && data.length === 4) return base;
  throw badLine(index, 'record type');
}

function decodeRecord(line: string, index: number): { type: number; offset: number; data: Uint8Array } {
  if (!LINE.test(line)) throw badLine(index, 'form');
  const record = decodeHex(line.slice(1));
  const reader = new ByteReader(record);
  const length = reader.u8('length');
  if (length + 5 !== record.length) throw badLine(index, 'length');
  if ((record.reduce((sum, byte) => sum + byte, 0) & 0xff) !== 0) throw badLine(index, 'checksum');
  return { offset: reader.u16be('offset'), type: reader.u8('type'), data: reader.take(length, 'data') };
}

function encodeRecord(type: number, offset: number, data: Uint8Array): string {
  const record = new ByteWriter(BYTES_A_LINE + 5).u8(data.length).u16be(offset).u8(type).bytes(data);
  const sum = record.finish().reduce((total, byte) => total + byte, 0);
  return `:${encodeHex(record.u8(-sum & 0xff).finish()).toUpperCase()}`;
}

function badLine(index: number, reason: string): HoldfastError {
  return new HoldfastError('boot.bad_hex', { line: index + 1, reason });
}
