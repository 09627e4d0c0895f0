export { decodeEstBody, type EstBase64Form, encodeEstBody } from './base64-body.ts';
export { type BasicCredentials, decodeBasicCredentials } from './basic-credentials.ts';
export { type CsrAttribute, decodeCsrAttributes, encodeCsrAttributes } from './csr-attributes.ts';
export { deviceCsrAttributes } from './csr-template.ts';
export { encodeMultipart, MULTIPART_MEDIA, type MultipartPart } from './multipart.ts';
export { EST_MEDIA, EST_OPERATIONS, EST_ROOT, type EstOperation, isMediaType } from './operations.ts';
