import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { crc32 } from '../esp32/index.ts';

/** What an entry holds; the names are of esp_secure_cert_tlv_type_t. */
export const ESP_SECURE_CERT_TYPE = {
  caCertificate: 0,
  deviceCertificate: 1,
  privateKey: 2,
  dsData: 3,
  dsContext: 4,
  ecdsaKeySalt: 5,
  securityConfiguration: 6,
  teeStorageKey: 7,
  signatureBlock: 8,
  /** SHA-256 of all bytes before its header. */
  integrity: 9,
} as const;

/** Largest partition of Espressif's own tables; its readers keep offsets in 16 bits. */
export const ESP_SECURE_CERT_LENGTH = 0x2000;

const MAGIC = 0xba5eba11;
const ALIGNMENT = 16;
const CRC_START = 0;
const ERASED = 0xff;
const MAX_TYPE = 253;
const MAX_SUBTYPE = 16;

export interface EspSecureCertEntry {
  readonly type: number;
  /** Index among entries of one type, 0 to 16. */
  readonly subtype: number;
  /** How a private key is held; 0 is plain. */
  readonly flags: number;
  /** PEM values end with a NUL, as the readers take them for C strings; empty for a key that a peripheral holds. */
  readonly value: Uint8Array;
}

/** An entry and where its header begins. */
export interface PlacedEspSecureCertEntry extends EspSecureCertEntry {
  readonly offset: number;
}

/**
 * The entries one after the other, without the erased rest of the partition.
 *
 * @throws `wire.duplicate` for a type and subtype given twice; `wire.too_large` over 8 KiB;
 * `wire.malformed` for a number outside its range.
 * @see esp_secure_cert_mgr private_include/esp_secure_cert_tlv_private.h
 */
export function encodeEspSecureCert(entries: readonly EspSecureCertEntry[]): Uint8Array<ArrayBuffer> {
  const seen = new Set<number>();
  const writer = new ByteWriter(ESP_SECURE_CERT_LENGTH);
  for (const entry of entries) {
    checkEntry(entry, seen, writer.length);
    const start = writer.length;
    if (start + sizeOf(entry.value.length) > ESP_SECURE_CERT_LENGTH) {
      throw new HoldfastError('wire.too_large', { field: 'partition', limit: ESP_SECURE_CERT_LENGTH });
    }
    writer.u32le(MAGIC).u8(entry.flags).fill(0, 3).u8(entry.type).u8(entry.subtype).u16le(entry.value.length);
    writer.bytes(entry.value).fill(0, paddingOf(entry.value.length));
    writer.u32le(crc32(writer.finish().subarray(start), CRC_START));
  }
  return writer.finish();
}

/**
 * Reads the entries of a partition; erased bytes may follow them, and nothing else.
 *
 * @throws `wire.malformed` for another magic, reserved bits or padding that are set, or numbers outside their range;
 * `boot.checksum_mismatch`, `wire.truncated`, `wire.duplicate`, `wire.trailing_bytes`, `wire.too_large`
 */
export function decodeEspSecureCert(bytes: Uint8Array): PlacedEspSecureCertEntry[] {
  if (bytes.length > ESP_SECURE_CERT_LENGTH) {
    throw new HoldfastError('wire.too_large', { field: 'partition', limit: ESP_SECURE_CERT_LENGTH });
  }
  const entries: PlacedEspSecureCertEntry[] = [];
  const seen = new Set<number>();
  const reader = new ByteReader(bytes);
  while (reader.remaining > 0 && bytes[reader.offset] !== ERASED) {
    const entry = readEntry(reader);
    checkEntry(entry, seen, entry.offset);
    entries.push(entry);
  }
  if (bytes.subarray(reader.offset).some((byte) => byte !== ERASED)) {
    throw new HoldfastError('wire.trailing_bytes', { field: 'partition', offset: reader.offset });
  }
  return entries;
}

function readEntry(reader: ByteReader): PlacedEspSecureCertEntry {
  const { offset } = reader;
  if (reader.u32le('magic') !== MAGIC) throw new HoldfastError('wire.malformed', { field: 'magic', offset });
  const flags = reader.u8('flags');
  const reserved = reader.take(3, 'reserved');
  const type = reader.u8('type');
  const subtype = reader.u8('subtype');
  const length = reader.u16le('length');
  const value = reader.take(length, 'value');
  const padding = reader.take(paddingOf(length), 'padding');
  const sum = crc32(reader.bytes.subarray(offset, reader.offset), CRC_START);
  if (reader.u32le('crc') !== sum) throw new HoldfastError('boot.checksum_mismatch', { field: 'entry', offset });
  if ([...reserved, ...padding].some((byte) => byte !== 0)) {
    throw new HoldfastError('wire.malformed', { field: 'reserved', offset });
  }
  return { type, subtype, flags, value, offset };
}

function checkEntry({ type, subtype, flags, value }: EspSecureCertEntry, seen: Set<number>, offset: number): void {
  const isGood = type <= MAX_TYPE && subtype <= MAX_SUBTYPE && flags <= 0xff && value.length <= 0xffff;
  if (!isGood) throw new HoldfastError('wire.malformed', { field: 'entry', offset });
  const place = type * 256 + subtype;
  if (seen.has(place)) throw new HoldfastError('wire.duplicate', { field: 'entry', offset });
  seen.add(place);
}

/** Flash encryption writes 16 bytes at once. */
function paddingOf(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}

function sizeOf(length: number): number {
  return 12 + length + paddingOf(length) + 4;
}
