import { createHash } from 'node:crypto';
import { equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeEspPartitionTable,
  encodeEspPartitions,
  encodeEspPartitionTable,
  type EspPartition,
} from '@holdfast/wire/esp32';

/**
 * The partitions of a table whose checksum holds; MD5 finds damage, and proves nothing.
 *
 * @throws `boot.checksum_mismatch`, `boot.hash_missing` for a table without one, and the decoder's errors
 */
export function readEspPartitionTable(bytes: Uint8Array): readonly EspPartition[] {
  const { partitions, checksum } = decodeEspPartitionTable(bytes);
  if (checksum === undefined) throw new HoldfastError('boot.hash_missing', { field: 'MD5' });
  if (!equalBytes(md5(checksum.covered), checksum.value))
    throw new HoldfastError('boot.checksum_mismatch', { field: 'MD5' });
  return partitions;
}

/** The table of these partitions, as ESP-IDF builds it. @throws `wire.malformed`, `wire.duplicate` */
export function makeEspPartitionTable(partitions: readonly EspPartition[]): Uint8Array<ArrayBuffer> {
  const entries = encodeEspPartitions(partitions);
  return encodeEspPartitionTable(entries, md5(entries));
}

function md5(bytes: Uint8Array): Uint8Array {
  return createHash('md5').update(bytes).digest();
}
