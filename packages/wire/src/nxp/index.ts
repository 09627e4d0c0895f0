export {
  encodeNxpCertificateBlock,
  NXP_ROOT_KEYS,
  type NxpCertificateBlock,
  type NxpCertificateBlockInput,
  readNxpCertificateBlock,
} from './certificate-block.ts';
export { CMPA_LENGTH, decodeNxpCmpa, encodeNxpCmpa, type NxpCmpa } from './cmpa.ts';
export { decodeNxpSecureBinary, isNxpSecureBinary, type NxpSecureBinary } from './sb21.ts';
export {
  decodeNxpImage,
  isNxpImage,
  layOutNxpImage,
  NXP_TRUST_ZONES,
  type NxpImage,
  type NxpImageLayout,
  type NxpTrustZone,
} from './signed-image.ts';
