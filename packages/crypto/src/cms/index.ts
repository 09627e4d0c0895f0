export { envelopePrivateKey, isKeyIdentifierOf, type KeyPackageSigner, takesEnvelopes } from './enveloped-key.ts';
export {
  type CmsSigner,
  type CmsSignOptions,
  type CmsTrust,
  judgeSignedData,
  type PreparedSignedData,
  prepareSignedData,
} from './signed-data.ts';
