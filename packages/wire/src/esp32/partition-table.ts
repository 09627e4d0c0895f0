import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8, HoldfastError } from '@holdfast/kernel';

/** One partition; bytes of flash. */
export interface EspPartition {
  readonly label: string;
  /** 0 app, 1 data, 2 bootloader, 3 partition table, 0x40 and above the product's own. */
  readonly type: number;
  /** app: 0 factory, 0x10 and on OTA slots; data: 0 OTA data, 2 NVS, 4 NVS keys. */
  readonly subtype: number;
  readonly offset: number;
  readonly size: number;
  readonly encrypted: boolean;
  readonly readOnly: boolean;
}

export interface EspPartitionTable {
  readonly partitions: readonly EspPartition[];
  /** MD5 and what it covers, where the table has one. */
  readonly checksum: { readonly covered: Uint8Array; readonly value: Uint8Array } | undefined;
}

export const ESP_PARTITION_TABLE_LENGTH = 0xc00;
/** Without and with the room for a signature. */
const LENGTHS: readonly number[] = [ESP_PARTITION_TABLE_LENGTH, 0x1000];
const ENTRY_LENGTH = 32;
const ENTRY_MAGIC = 0x50aa;
const CHECKSUM_MAGIC = 0xebeb;
const LABEL_LENGTH = 16;
const SECTOR = 0x1000;
const FLAGS = { encrypted: 1, readOnly: 2 } as const;
const APP = 0;
const DATA = 1;
const APP_ALIGNMENT = 0x10000;
const OTA_SUBTYPES = { first: 0x10, last: 0x1f } as const;
const OTA_DATA = { subtype: 0, size: 0x2000 } as const;
const FLASH_END = 0x1_0000_0000;

/**
 * Decodes a partition table, as a file or with the rest of its sector, and holds it to the rules of the tool that makes it: labels once, no overlap, application slots at
 * multiples of 64 KiB, one OTA data partition of two sectors. The checksum is for the caller, since it takes a hash.
 *
 * @throws `wire.truncated`, `wire.malformed` with the rule, `wire.duplicate`, `boot.trailing_bytes`
 * @see ESP-IDF components/partition_table/gen_esp32part.py, esp_flash_partitions.h
 */
export function decodeEspPartitionTable(bytes: Uint8Array): EspPartitionTable {
  if (!LENGTHS.includes(bytes.length))
    throw new HoldfastError('wire.truncated', { field: 'partition table', size: bytes.length });
  const partitions: EspPartition[] = [];
  let checksum: EspPartitionTable['checksum'];
  let at = 0;
  for (; ; at += ENTRY_LENGTH) {
    const reader = new ByteReader(new ByteReader(bytes, at).take(ENTRY_LENGTH, 'partition'));
    const magic = reader.u16le('magic');
    if (magic !== ENTRY_MAGIC && magic !== CHECKSUM_MAGIC) break;
    if (checksum !== undefined) throw bad('entry after checksum', at);
    if (magic === ENTRY_MAGIC) partitions.push(readPartition(reader, at));
    else checksum = readChecksum(reader, bytes.subarray(0, at));
  }
  if (bytes.subarray(at).some((byte) => byte !== 0xff)) throw new HoldfastError('boot.trailing_bytes', { offset: at });
  checkPartitions(partitions);
  return { partitions, checksum };
}

function readPartition(reader: ByteReader, at: number): EspPartition {
  const type = reader.u8('type');
  const subtype = reader.u8('subtype');
  const offset = reader.u32le('offset');
  const size = reader.u32le('size');
  const field = reader.take(LABEL_LENGTH, 'label');
  const end = field.indexOf(0);
  const label = decodeUtf8(end < 0 ? field : field.subarray(0, end), 'label');
  if (end >= 0 && field.subarray(end).some((byte) => byte !== 0)) throw bad('label', at);
  const flags = reader.u32le('flags');
  if ((flags & ~(FLAGS.encrypted | FLAGS.readOnly)) !== 0) throw bad('flags', at);
  return {
    label,
    type,
    subtype,
    offset,
    size,
    encrypted: (flags & FLAGS.encrypted) !== 0,
    readOnly: (flags & FLAGS.readOnly) !== 0,
  };
}

function readChecksum(reader: ByteReader, covered: Uint8Array) {
  if (reader.take(14, 'checksum filling').some((byte) => byte !== 0xff)) throw bad('checksum', covered.length);
  return { covered, value: reader.take(16, 'checksum') };
}

/** The entries of a table, before checksum and filling. @throws `wire.malformed`, `wire.duplicate` as the decoder */
export function encodeEspPartitions(partitions: readonly EspPartition[]): Uint8Array<ArrayBuffer> {
  checkPartitions(partitions);
  const writer = new ByteWriter(ESP_PARTITION_TABLE_LENGTH);
  for (const { label, type, subtype, offset, size, encrypted, readOnly } of partitions) {
    const name = encodeUtf8(label);
    if (name.length > LABEL_LENGTH || name.includes(0)) throw bad('label', writer.length);
    writer
      .u16le(ENTRY_MAGIC)
      .u8(type)
      .u8(subtype)
      .u32le(offset)
      .u32le(size)
      .bytes(name)
      .fill(0, LABEL_LENGTH - name.length);
    writer.u32le((encrypted ? FLAGS.encrypted : 0) | (readOnly ? FLAGS.readOnly : 0));
  }
  return writer.finish();
}

/** The whole table around its entries and their MD5. */
export function encodeEspPartitionTable(entries: Uint8Array, md5: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(ESP_PARTITION_TABLE_LENGTH)
    .bytes(entries)
    .u16le(CHECKSUM_MAGIC)
    .fill(0xff, 14)
    .bytes(md5);
  return writer.fill(0xff, ESP_PARTITION_TABLE_LENGTH - writer.length).finish();
}

function checkPartitions(partitions: readonly EspPartition[]): void {
  // Room for the checksum and for an entry that ends the table.
  if (partitions.length === 0 || (partitions.length + 2) * ENTRY_LENGTH > ESP_PARTITION_TABLE_LENGTH)
    throw bad('count', 0);
  for (const [index, partition] of partitions.entries()) {
    const at = index * ENTRY_LENGTH;
    const { label, type, subtype, offset, size } = partition;
    if (offset % (type === APP ? APP_ALIGNMENT : SECTOR) !== 0) throw bad('offset', at);
    if (size === 0 || size % SECTOR !== 0 || offset + size > FLASH_END) throw bad('size', at);
    const isOtaData = type === DATA && subtype === OTA_DATA.subtype;
    if (isOtaData && size !== OTA_DATA.size) throw bad('OTA data size', at);
    for (const other of partitions.slice(0, index)) {
      if (other.label === label) throw new HoldfastError('wire.duplicate', { field: 'label', offset: at });
      if (isOtaData && other.type === DATA && other.subtype === OTA_DATA.subtype)
        throw new HoldfastError('wire.duplicate', { field: 'OTA data', offset: at });
      if (offset < other.offset + other.size && other.offset < offset + size) throw bad('overlap', at);
    }
  }
}

/** The slots that updates go to, in the order in which OTA data counts them. */
export function otaSlots(partitions: readonly EspPartition[]): EspPartition[] {
  return partitions
    .filter(({ type, subtype }) => type === APP && subtype >= OTA_SUBTYPES.first && subtype <= OTA_SUBTYPES.last)
    .sort((a, b) => a.subtype - b.subtype);
}

function bad(rule: string, offset: number): HoldfastError {
  return new HoldfastError('wire.malformed', { field: 'partition table', rule, offset });
}
