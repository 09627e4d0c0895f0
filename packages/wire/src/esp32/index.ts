export {
  decodeEspAppImage,
  type EspAppDescriptor,
  type EspAppImage,
  type EspSegment,
  isEspAppImage,
} from './app-image.ts';
export { ESP_CHIP_TABLE, ESP_CHIPS, type EspChip, findEspChip } from './chips.ts';
export { crc32 } from './crc32.ts';
export { encodeNvsKeys, NVS_ENTRY_LENGTH, readNvsKeys, writtenNvsEntries } from './nvs.ts';
export { decodeNvsPartition, encodeNvsPartition, NVS_MIN_LENGTH, type NvsItem } from './nvs-partition.ts';
export {
  decodeEspOtaData,
  encodeEspOtaData,
  type EspOtaRecord,
  type EspOtaState,
  OTA_DATA_LENGTH,
  selectedOtaSlot,
} from './ota-data.ts';
export {
  decodeEspPartitionTable,
  encodeEspPartitions,
  encodeEspPartitionTable,
  ESP_PARTITION_TABLE_LENGTH,
  type EspPartition,
  type EspPartitionTable,
  otaSlots,
} from './partition-table.ts';
export {
  BLOCK_LENGTH,
  decodeSignatureBlock,
  decodeSignedImage,
  encodeSignatureBlock,
  encodeSignedImage,
  ESP_SCHEMES,
  type EspScheme,
  type EspSignatureBlock,
  type EspSignedImage,
  MAX_BLOCKS,
  padToSector,
  SECTOR_LENGTH,
} from './signature-block.ts';
