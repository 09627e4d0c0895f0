import { createCipheriv, createDecipheriv } from 'node:crypto';
import { NVS_ENTRY_LENGTH, readNvsKeys, writtenNvsEntries } from '@holdfast/wire/esp32';

const CIPHER = 'aes-256-xts';

/**
 * Encrypts the written entries of an NVS partition; page headers and bitmaps stay clear.
 *
 * @param keyPartition - the keys as ESP-IDF keeps them, see `readNvsKeys`.
 * @throws as `writtenNvsEntries` and `readNvsKeys`
 * @see ESP-IDF docs/en/api-reference/storage/nvs_encryption.rst
 */
export function encryptNvs(partition: Uint8Array, keyPartition: Uint8Array): Uint8Array<ArrayBuffer> {
  return transform(partition, readNvsKeys(keyPartition), createCipheriv);
}

/** The reverse of {@link encryptNvs}; there is no authentication to fail beyond the entries' own checksums. */
export function decryptNvs(partition: Uint8Array, keyPartition: Uint8Array): Uint8Array<ArrayBuffer> {
  return transform(partition, readNvsKeys(keyPartition), createDecipheriv);
}

function transform(
  partition: Uint8Array,
  keys: Uint8Array,
  make: typeof createCipheriv | typeof createDecipheriv,
): Uint8Array<ArrayBuffer> {
  const result = Uint8Array.from(partition);
  const tweak = new Uint8Array(16);
  const view = new DataView(tweak.buffer);
  for (const offset of writtenNvsEntries(partition)) {
    // The tweak is the place of the entry: the same value elsewhere in the partition encrypts to other bytes.
    view.setUint32(0, offset, true);
    result.set(make(CIPHER, keys, tweak).update(partition.subarray(offset, offset + NVS_ENTRY_LENGTH)), offset);
  }
  return result;
}
