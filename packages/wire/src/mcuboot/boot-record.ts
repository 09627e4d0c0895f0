import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { McubootHash } from './key-kinds.ts';

/** What the boot code reports about this image in an attestation (PSA software component). */
export interface McubootBootRecord {
  /** At most 12 bytes. */
  readonly softwareType: string;
  /** major.minor.revision */
  readonly version: string;
  /** The KEYHASH of the signer. */
  readonly signerId: Uint8Array;
  readonly hash: McubootHash;
}

const KEY = { softwareType: 1, measurement: 2, version: 4, signerId: 5, description: 6 } as const;
const MAP_OF_FIVE = 0xa5;
const TEXT = 0x60;
const BYTES = 0x40;
const MAX_TYPE = 12;
const HASH_LENGTH = { sha256: 32, sha384: 48, sha512: 64 } as const;

/**
 * Encodes the boot record. The measurement is zeros and stands last: the boot code overwrites the tail with the hash.
 *
 * @throws `boot.bad_option` when the software type is longer than 12 bytes.
 * @see imgtool boot_record.py; PSA Attestation API 1.0, software components
 */
export function encodeBootRecord(record: McubootBootRecord): Uint8Array<ArrayBuffer> {
  const softwareType = encodeUtf8(record.softwareType);
  if (softwareType.length > MAX_TYPE)
    throw new HoldfastError('boot.bad_option', { option: 'boot-record', limit: MAX_TYPE });
  const writer = new ByteWriter(160).u8(MAP_OF_FIVE);
  const put = (key: number, kind: number, value: Uint8Array): void => {
    writer.u8(key);
    if (value.length < 24) writer.u8(kind | value.length);
    else writer.u8(kind | 24).u8(value.length);
    writer.bytes(value);
  };
  put(KEY.softwareType, TEXT, softwareType);
  put(KEY.version, TEXT, encodeUtf8(record.version));
  put(KEY.signerId, BYTES, record.signerId);
  put(KEY.description, TEXT, encodeUtf8(record.hash.toUpperCase()));
  put(KEY.measurement, BYTES, new Uint8Array(HASH_LENGTH[record.hash]));
  return writer.finish();
}

/** @throws `wire.truncated`, `wire.trailing_bytes`, `wire.malformed` for anything {@link encodeBootRecord} does not write. */
export function decodeBootRecord(bytes: Uint8Array): McubootBootRecord {
  const reader = new ByteReader(bytes);
  const malformed = (field: string): HoldfastError =>
    new HoldfastError('wire.malformed', { field, offset: reader.offset });
  const take = (key: number, kind: number, field: string): Uint8Array => {
    if (reader.u8(field) !== key) throw malformed(field);
    const head = reader.u8(field);
    if ((head & 0xe0) !== kind || (head & 0x1f) > 24) throw malformed(field);
    const length = (head & 0x1f) < 24 ? head & 0x1f : reader.u8(field);
    if ((head & 0x1f) === 24 && length < 24) throw malformed(field);
    return reader.take(length, field);
  };
  if (reader.u8('boot record') !== MAP_OF_FIVE) throw malformed('boot record');
  const softwareType = decodeUtf8(take(KEY.softwareType, TEXT, 'sw_type'), 'sw_type');
  const version = decodeUtf8(take(KEY.version, TEXT, 'sw_version'), 'sw_version');
  const signerId = take(KEY.signerId, BYTES, 'signer_id');
  const name = decodeUtf8(take(KEY.description, TEXT, 'measurement_desc'), 'measurement_desc');
  const hash = (['sha256', 'sha384', 'sha512'] as const).find((known) => known.toUpperCase() === name);
  if (hash === undefined) throw malformed('measurement_desc');
  const measurement = take(KEY.measurement, BYTES, 'measurement');
  if (measurement.length !== HASH_LENGTH[hash] || measurement.some((byte) => byte !== 0))
    throw malformed('measurement');
  reader.end('boot record');
  return { softwareType, version, signerId, hash };
}
