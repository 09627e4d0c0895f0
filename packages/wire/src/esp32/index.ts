export {
  decodeEspAppImage,
  ESP_CHIPS,
  type EspAppDescriptor,
  type EspAppImage,
  type EspSegment,
  isEspAppImage,
} from './app-image.ts';
export { crc32 } from './crc32.ts';
export { NVS_ENTRY_LENGTH, readNvsKeys, writtenNvsEntries } from './nvs.ts';
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
