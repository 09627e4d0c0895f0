export {
  decodeSuitEnvelope,
  encodeSuitEnvelope,
  encodeSuitManifest,
  type SuitAlgorithm,
  type SuitEnvelope,
  type SuitManifest,
  suitDigestInput,
  suitToBeSigned,
} from './suit.ts';
