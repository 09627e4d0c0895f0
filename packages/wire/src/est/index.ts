export { decodeEstBody, type EstBase64Form, encodeEstBody } from './base64-body.ts';
export {
  type CsrAttribute,
  decodeCsrAttributes,
  DEVICE_CSR_ATTRIBUTES,
  encodeCsrAttributes,
} from './csr-attributes.ts';
export { EST_MEDIA, EST_OPERATIONS, EST_ROOT, type EstOperation, isMediaType } from './operations.ts';
