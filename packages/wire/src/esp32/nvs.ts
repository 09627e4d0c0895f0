import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { crc32 } from './crc32.ts';

export const NVS_ENTRY_LENGTH = 32;
export const NVS_PAGE_LENGTH = 4096;
const ENTRIES = 126;
const FIRST_ENTRY = 64;
const CRC_START = 0;
const EMPTY = 0xffffffff;
/** Active, full, freeing, corrupt: each state clears one more bit (ESP-IDF nvs_page.hpp). */
const STATES: readonly number[] = [0xfffffffe, 0xfffffffc, 0xfffffff8, 0xfffffff0];
const WRITTEN = 0b10;

/**
 * Where the written entries of an NVS partition stand, as offsets in bytes.
 *
 * @throws `wire.malformed` for no whole number of pages or an unknown page state.
 * @throws `boot.checksum_mismatch` when a page header was damaged.
 * @see ESP-IDF docs/en/api-reference/storage/nvs_flash.rst, structure of a page
 */
export function writtenNvsEntries(partition: Uint8Array): number[] {
  if (partition.length === 0 || partition.length % NVS_PAGE_LENGTH !== 0) {
    throw new HoldfastError('wire.malformed', { field: 'partition', size: partition.length });
  }
  const offsets: number[] = [];
  for (let page = 0; page < partition.length; page += NVS_PAGE_LENGTH) {
    const bytes = partition.subarray(page, page + NVS_PAGE_LENGTH);
    if (!isUsedPage(bytes, page)) continue;
    for (let entry = 0; entry < ENTRIES; entry++) {
      const state = ((bytes[32 + (entry >> 2)] ?? 0) >> ((entry & 3) * 2)) & 3;
      if (state === WRITTEN) offsets.push(page + FIRST_ENTRY + entry * NVS_ENTRY_LENGTH);
    }
  }
  return offsets;
}

function isUsedPage(page: Uint8Array, offset: number): boolean {
  const state = new ByteReader(page).u32le('state');
  if (state === EMPTY) return false;
  if (!STATES.includes(state)) throw new HoldfastError('wire.malformed', { field: 'page state', offset });
  if (new ByteReader(page, 28).u32le('crc') !== crc32(page.subarray(4, 28), CRC_START)) {
    throw new HoldfastError('boot.checksum_mismatch', { field: 'page header', offset });
  }
  return true;
}

/**
 * Reads a key partition: 32 bytes encryption key, 32 bytes tweak key, CRC, erased bytes.
 *
 * @returns both keys, 64 bytes, in the order XTS takes them.
 * @throws `wire.truncated`, `boot.checksum_mismatch`, `wire.trailing_bytes`
 */
export function readNvsKeys(bytes: Uint8Array): Uint8Array {
  const reader = new ByteReader(bytes);
  const keys = reader.take(64, 'keys');
  if (reader.u32le('crc') !== crc32(keys, CRC_START))
    throw new HoldfastError('boot.checksum_mismatch', { field: 'keys' });
  if (bytes.subarray(reader.offset).some((byte) => byte !== 0xff)) {
    throw new HoldfastError('wire.trailing_bytes', { field: 'keys', offset: reader.offset });
  }
  return keys;
}

/**
 * A key partition of one page, as ESP-IDF's generator writes it.
 *
 * @param keys - 32 bytes encryption key, 32 bytes tweak key.
 * @throws `wire.malformed` for another number of bytes
 */
export function encodeNvsKeys(keys: Uint8Array): Uint8Array<ArrayBuffer> {
  if (keys.length !== 64) throw new HoldfastError('wire.malformed', { field: 'keys', size: keys.length });
  const writer = new ByteWriter(NVS_PAGE_LENGTH).bytes(keys).u32le(crc32(keys, CRC_START));
  return writer.fill(0xff, NVS_PAGE_LENGTH - writer.length).finish();
}
