export { decodeBootRecord, encodeBootRecord, type McubootBootRecord } from './boot-record.ts';
export {
  MCUBOOT_FLAG,
  MCUBOOT_HEADER_LENGTH,
  MCUBOOT_MAGIC,
  MCUBOOT_TLV,
  PROTECTED_AREA_MAGIC,
  UNPROTECTED_AREA_MAGIC,
} from './constants.ts';
export { draftMcubootImage, encodeSeal, type McubootImageSpec, type McubootSeal, sealMcubootImage } from './draft.ts';
export { strictEcdsaSignature } from './ecdsa-signature.ts';
export { decodeMcubootHeader, encodeMcubootHeader, hasFlag, type McubootHeader } from './header.ts';
export { type DecodeImageOptions, decodeMcubootImage, type McubootImage } from './image.ts';
export { formatKeyAsC, formatKeyAsRust, isNameSuffix, type KeyArray } from './key-export.ts';
export {
  ENCRYPTION_TLVS,
  HASH_TLV,
  MCUBOOT_KEY_RULES,
  type McubootHash,
  type McubootKeyKind,
  type McubootKeyRule,
  PURE_HASH,
  SIGNATURE_TLVS,
} from './key-kinds.ts';
export {
  encodeMetadata,
  type McubootDependency,
  type McubootMetadata,
  readDependencies,
  readSecurityCounter,
} from './metadata.ts';
export {
  type DecodedTlvArea,
  decodeTlvArea,
  encodeTlvArea,
  findTlv,
  type McubootTlv,
  nameTlv,
  type TlvArea,
} from './tlv.ts';
export {
  checkFits,
  decodeTrailer,
  type ErasedValue,
  type McubootTrailer,
  padToSlot,
  type TrailerAlign,
  type TrailerLayout,
  type TrailerRoom,
  trailerLayout,
  trailerMagic,
  trailerSize,
} from './trailer.ts';
export {
  compareVersions,
  counterOfVersion,
  formatVersion,
  type McubootVersion,
  parseVersion,
  readVersion,
  writeVersion,
} from './version.ts';
