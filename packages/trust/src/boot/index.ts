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
  ImageFact,
  ImageFormat,
  ImagePolicy,
  ImageVerdict,
  PreparedImage,
  RefusedImage,
} from './image-format.ts';
export {
  finishImage,
  ImageSigner,
  type ImageSignerPorts,
  type ImageSigningKey,
  prepareImage,
  type Signatory,
  type SignedImage,
} from './image-signer.ts';
export { ImageVerifier } from './image-verifier.ts';
