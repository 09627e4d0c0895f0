/** One part: base64 text under its media type. */
export interface MultipartPart {
  readonly mediaType: string;
  readonly base64: string;
}

/** A hyphen is no letter of base64, so that no part can hold it (RFC 2046 5.1.1). */
const BOUNDARY = 'holdfast-est-part';

export const MULTIPART_MEDIA = `multipart/mixed; boundary=${BOUNDARY}`;

/** The answer of serverkeygen (RFC 7030 4.4.2): parts with CRLF between lines of headers, as RFC 2046 has it. */
export function encodeMultipart(parts: readonly MultipartPart[]): string {
  const texts = parts.map(({ mediaType, base64 }) =>
    [
      `--${BOUNDARY}`,
      `Content-Type: ${mediaType}`,
      'Content-Transfer-Encoding: base64',
      '',
      base64.trimEnd().replaceAll('\n', '\r\n'),
      '',
    ].join('\r\n'),
  );
  return `${texts.join('')}--${BOUNDARY}--\r\n`;
}
