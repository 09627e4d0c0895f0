import { ByteReader, HoldfastError } from '@holdfast/kernel';

/** One piece of an application and where it is loaded or mapped. */
export interface EspSegment {
  readonly address: number;
  readonly data: Uint8Array;
}

/** What the application says about itself, from the start of its first segment. */
export interface EspAppDescriptor {
  /** Compared with the counter in the eFuses. */
  readonly secureVersion: number;
  readonly version: string;
  readonly project: string;
  readonly idfVersion: string;
}

/** A decoded application or bootloader image. Byte arrays are views. */
export interface EspAppImage {
  readonly chipId: number;
  readonly entry: number;
  readonly minRevision: number;
  readonly maxRevision: number;
  readonly segments: readonly EspSegment[];
  /** SHA-256 at the end, and the bytes it covers. */
  readonly digest?: { readonly covered: Uint8Array; readonly value: Uint8Array };
  readonly descriptor?: EspAppDescriptor;
  /** Length of the image without what follows it. */
  readonly length: number;
}

const MAGIC = 0xe9;
const MAX_SEGMENTS = 16;
const CHECKSUM_SEED = 0xef;
const DESCRIPTOR_MAGIC = 0xabcd5432;
const DESCRIPTOR_LENGTH = 256;
const ADDRESS_SPACE = 0x1_0000_0000;

/** Whether the bytes begin like an application image. */
export function isEspAppImage(bytes: Uint8Array): boolean {
  return bytes[0] === MAGIC;
}

/**
 * Decodes an application image: header, segments, checksum, digest.
 *
 * @throws `wire.truncated`, `boot.bad_magic`, `boot.bad_header` for a field outside its rules,
 * `boot.checksum_mismatch` when the XOR of the segments is another
 * @see ESP-IDF components/bootloader_support/src/esp_image_format.c
 */
export function decodeEspAppImage(bytes: Uint8Array): EspAppImage {
  const reader = new ByteReader(bytes);
  if (reader.u8('magic') !== MAGIC) throw new HoldfastError('boot.bad_magic', { field: 'magic', offset: 0 });
  const count = reader.u8('segment_count');
  if (count === 0 || count > MAX_SEGMENTS) throw badField('segment_count', 1, count);
  reader.skip(2, 'spi mode, speed, size');
  const entry = reader.u32le('entry_addr');
  reader.skip(4, 'wp_pin, spi_pin_drv');
  const chipId = reader.u16le('chip_id');
  reader.skip(1, 'min_chip_rev');
  const minRevision = reader.u16le('min_chip_rev_full');
  const maxRevision = reader.u16le('max_chip_rev_full');
  reader.skip(4, 'reserved');
  const hasDigest = reader.u8('hash_appended');
  if (hasDigest > 1) throw badField('hash_appended', 23, hasDigest);
  const segments = Array.from({ length: count }, () => readSegment(reader));
  readChecksum(reader, segments);
  const covered = bytes.subarray(0, reader.offset);
  const digest = hasDigest === 1 ? { covered, value: reader.take(32, 'digest') } : undefined;
  const descriptor = readDescriptor(segments);
  return {
    chipId,
    entry,
    minRevision,
    maxRevision,
    segments,
    length: reader.offset,
    ...(digest === undefined ? {} : { digest }),
    ...(descriptor === undefined ? {} : { descriptor }),
  };
}

function readSegment(reader: ByteReader): EspSegment {
  const { offset } = reader;
  const address = reader.u32le('load_addr');
  const length = reader.u32le('data_len');
  if (length === 0 || length % 4 !== 0) throw badField('data_len', offset + 4, length);
  if (address + length > ADDRESS_SPACE) throw badField('load_addr', offset, address);
  return { address, data: reader.take(length, 'segment') };
}

/** The last byte of the next 16-byte line; the bytes before it are zero. */
function readChecksum(reader: ByteReader, segments: readonly EspSegment[]): void {
  const filler = reader.take(15 - (reader.offset % 16), 'checksum padding');
  if (filler.some((byte) => byte !== 0)) throw badField('checksum padding', reader.offset, filler.length);
  let checksum = CHECKSUM_SEED;
  for (const { data } of segments) for (const byte of data) checksum ^= byte;
  if (reader.u8('checksum') !== checksum) throw new HoldfastError('boot.checksum_mismatch', { field: 'checksum' });
}

function readDescriptor(segments: readonly EspSegment[]): EspAppDescriptor | undefined {
  const data = segments[0]?.data ?? new Uint8Array(0);
  if (data.length < DESCRIPTOR_LENGTH) return undefined;
  const reader = new ByteReader(data);
  if (reader.u32le('magic_word') !== DESCRIPTOR_MAGIC) return undefined;
  const secureVersion = reader.u32le('secure_version');
  reader.skip(8, 'reserv1');
  const version = text(reader.take(32, 'version'));
  const project = text(reader.take(32, 'project_name'));
  reader.skip(32, 'time and date');
  return { secureVersion, version, project, idfVersion: text(reader.take(32, 'idf_ver')) };
}

/** NUL-ended; other than printable ASCII shows as a question mark, since a terminal would obey it. */
function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  const letters = field.subarray(0, end < 0 ? field.length : end);
  return Array.from(letters, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?')).join('');
}

function badField(field: string, offset: number, value: number): HoldfastError {
  return new HoldfastError('boot.bad_header', { field, offset, value });
}
