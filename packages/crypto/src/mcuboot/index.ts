export { type ClearImage, decryptMcubootImage, encryptPayload, type ImageKeyBits } from './encryption.ts';
export { mcubootClassId, mcubootVendorId } from './product-id.ts';
export { mcubootPublicKey, type McubootPublicKey } from './public-key.ts';
export {
  type McubootEncryption,
  type McubootSignOptions,
  type McubootSlot,
  type PreparedMcubootImage,
  prepareMcubootImage,
} from './sign.ts';
export { type SignatureRequest, signatureRequest } from './signature.ts';
export { publishedTestKey } from './test-keys.ts';
export {
  type AcceptedMcubootImage,
  type McubootPolicy,
  type McubootVerdict,
  type RefusedMcubootImage,
  verifyMcubootImage,
} from './verify.ts';
