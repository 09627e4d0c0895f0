export { decodeCertsOnly, encodeCertsOnly } from './certs-only.ts';
export {
  decodeSignedData,
  encodeSignedAttributes,
  encodeSignedData,
  type SignedData,
  type SignedDataInput,
  type SignerIdentifier,
} from './signed-data.ts';
