export { decodeCertsOnly, encodeCertsOnly } from './certs-only.ts';
export {
  encodeEccSharedInfo,
  encodeEnvelopedData,
  type EnvelopedContent,
  type EnvelopeRecipient,
} from './enveloped-data.ts';
export {
  decodeSignedData,
  encodeSignedAttributes,
  encodeSignedData,
  encodeSignedDataContent,
  type SignedData,
  type SignedDataInput,
  type SignerIdentifier,
} from './signed-data.ts';
