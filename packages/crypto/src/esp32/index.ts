export { decryptFlash, encryptFlash, type FlashEncryption } from './flash-encryption.ts';
export { decryptNvs, encryptNvs } from './nvs-encryption.ts';
export { makeEspPartitionTable, readEspPartitionTable } from './partition-table.ts';
export { espPublicKey, type EspPublicKey } from './public-key.ts';
export { espV1Key, type EspV1Key, judgeSecureBootV1 } from './secure-boot-v1.ts';
export {
  type AcceptedEspImage,
  type EspPolicy,
  type EspSignOptions,
  judgeSecureBootV2,
  type PreparedEspImage,
  prepareSecureBootV2,
} from './secure-boot-v2.ts';
export { type EspAlgorithm, signP192 } from './signature.ts';
