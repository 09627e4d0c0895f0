export {
  type AcceptedPsoc64Image,
  judgePsoc64Image,
  preparePsoc64Image,
  PSOC64_IMAGE_ID_TLV,
  type Psoc64ImagePolicy,
  psoc64OptionsOf,
  type Psoc64SignOptions,
} from './image.ts';
export {
  type PreparedToken,
  prepareToken,
  provisionCommand,
  psoc64JwkOf,
  rotAuthorization,
  verifyToken,
} from './token.ts';
