export type { NxpSigner } from './certificate-chain.ts';
export { nxpPublicKey, type NxpPublicKey, nxpRootKeyTableHash } from './root-key.ts';
export {
  type AcceptedNxpImage,
  judgeNxpImage,
  judgeNxpSecureBinary,
  type NxpPolicy,
  type NxpSignOptions,
  type PreparedNxpImage,
  prepareNxpImage,
  readNxpSecureBinary,
} from './signed-image.ts';
