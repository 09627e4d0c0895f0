export {
  detectFormat,
  IMAGE_FORMAT_NAMES,
  IMAGE_FORMATS,
  type ImageFormatName,
  parseFormatName,
  type PolicyOf,
  type SignOptionsOf,
} from './formats.ts';
export type {
  AcceptedImage,
  AcceptedSource,
  ImageFact,
  ImageFormat,
  ImagePolicy,
  ImageSignatureRequest,
  ImageVerdict,
  PreparedImage,
  RefusedImage,
  SourceVerdict,
} from './image-format.ts';
export {
  finishImage,
  ImageSigner,
  type ImageSignerPorts,
  prepareImage,
  type Signatory,
  type SignedImage,
} from './image-signer.ts';
export { ImageVerifier } from './image-verifier.ts';
export { type FirmwareLevel, isOlder, type Minimum, isVersion, shortfallOf } from './minimum.ts';
export {
  type MinimumPreview,
  type MinimumWish,
  type ProductActor,
  ProductPolicy,
  type ProductPolicyPorts,
  type ProductWish,
} from './product-policy.ts';
export {
  exportKeySet,
  KEY_SET_FORMS,
  type KeySetExportOptions,
  type KeySetFile,
  type KeySetForm,
  type PlacedKey,
} from './key-set-export.ts';
export { KeySets, type KeySetsPorts, type NewImageKey, type Rotation } from './key-sets.ts';
export { type ReferenceValuePorts, ReferenceValues } from './reference-values.ts';
export {
  type FieldFirmware,
  rehearse,
  type RehearsalPorts,
  type RehearsalProgress,
  type RehearsalRequest,
} from './rehearsal.ts';
export { type RehearsalReport, type RehearsalResult, type RehearsalStep } from './rehearsal-report.ts';
