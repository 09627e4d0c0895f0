/** Path below the origin (RFC 7030 3.2.2). */
export const EST_ROOT = '/.well-known/est';

/** Media types of bodies (RFC 7030 3.2.4, RFC 8951). */
export const EST_MEDIA = {
  certificates: 'application/pkcs7-mime',
  issued: 'application/pkcs7-mime; smime-type=certs-only',
  request: 'application/pkcs10',
  attributes: 'application/csrattrs',
  key: 'application/pkcs8',
  envelopedKey: 'application/pkcs7-mime; smime-type=server-generated-key',
} as const;

/** Operations of RFC 7030 that an optional label may precede; a label never has one of these names. */
export const EST_OPERATIONS = [
  'cacerts',
  'csrattrs',
  'simpleenroll',
  'simplereenroll',
  'serverkeygen',
  'fullcmc',
] as const;
export type EstOperation = (typeof EST_OPERATIONS)[number];

/** Whether a Content-Type names a media type, parameters and case aside (RFC 9110 8.3.1). */
export function isMediaType(header: string | undefined, mediaType: string): boolean {
  return header?.split(';', 1)[0]?.trim().toLowerCase() === mediaType;
}
