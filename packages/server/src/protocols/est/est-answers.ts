import { type ErrorCode, toHoldfastError } from '@holdfast/kernel';
import { encodeCertsOnly } from '@holdfast/wire/cms';
import { encodeEstBody, encodeMultipart, EST_MEDIA, type EstBase64Form, MULTIPART_MEDIA } from '@holdfast/wire/est';
import type { DeviceRequest, DeviceResponse } from '../https/device-route.ts';

/** The base64 form of every answer; `by-client` looks at each request. */
export type EstAnswerForm = EstBase64Form | 'by-client';

type Headers = Readonly<Record<string, string | number>>;

/** What goes with a refusal beside its words. Header names in their canonical case: libest compares letter by letter. */
const REFUSAL_HEADERS: Readonly<Partial<Record<ErrorCode, Headers>>> = {
  'identity.bad_password': { 'WWW-Authenticate': 'Basic realm="Holdfast enrollment", charset="UTF-8"' },
  'identity.approval_pending': { 'Retry-After': 15 },
};

const RETRY_SOON: Headers = { 'Retry-After': 5 };

/** RFC 7030 4.2.3, errata 5108: the reason as plain text. */
export function wordError(caught: unknown): DeviceResponse {
  const { code, message, spec } = toHoldfastError(caught);
  return plain(spec.http, `${code}: ${message}`, REFUSAL_HEADERS[code] ?? (spec.retry ? RETRY_SOON : {}));
}

/** Base64 of one DER value under its media type. */
export function payload(
  request: DeviceRequest,
  form: EstAnswerForm,
  given: { readonly mediaType: string; readonly der: Uint8Array },
): DeviceResponse {
  const body = encodeEstBody(given.der, formFor(request, form));
  return answer(200, given.mediaType, body, { 'Content-Transfer-Encoding': 'base64' });
}

/** RFC 7030 4.2.3: the issued certificate alone, no chain. */
export function issued(request: DeviceRequest, form: EstAnswerForm, certificateDer: Uint8Array): DeviceResponse {
  return payload(request, form, { mediaType: EST_MEDIA.issued, der: encodeCertsOnly([certificateDer]) });
}

/** The key and its certificate in two parts (RFC 7030 4.4.2). */
export function issuedWithKey(
  request: DeviceRequest,
  form: EstAnswerForm,
  given: {
    readonly key: { readonly mediaType: string; readonly der: Uint8Array };
    readonly certificateDer: Uint8Array;
  },
): DeviceResponse {
  const base64 = (der: Uint8Array) => encodeEstBody(der, formFor(request, form));
  const body = encodeMultipart([
    { mediaType: given.key.mediaType, base64: base64(given.key.der) },
    { mediaType: EST_MEDIA.issued, base64: base64(encodeCertsOnly([given.certificateDer])) },
  ]);
  return answer(200, MULTIPART_MEDIA, body);
}

export function plain(status: number, words: string, headers: Headers = {}): DeviceResponse {
  return answer(status, 'text/plain', `${words}\n`, headers);
}

function answer(status: number, mediaType: string, body: string, headers: Headers = {}): DeviceResponse {
  const own = { 'Content-Type': mediaType, 'Content-Length': body.length, 'Cache-Control': 'no-store' };
  return { status, headers: { ...own, ...headers }, body };
}

/** strongSwan sends no Accept and cannot read line breaks; libest sends one and cannot read a long line. */
function formFor({ headers }: DeviceRequest, form: EstAnswerForm): EstBase64Form {
  if (form !== 'by-client') return form;
  return headers['accept'] === undefined ? 'single' : 'wrapped';
}
