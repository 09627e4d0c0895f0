import { type Clock, decodeBase64Url, HoldfastError } from '@holdfast/kernel';
import type { OcspAnswer, OcspResponder } from '@holdfast/trust/identity';
import { encodeOcspError } from '@holdfast/wire/x509';
import type { DeviceResponse, DeviceRoute } from '../https/device-route.ts';

export interface OcspRoutesPorts {
  readonly responder: Pick<OcspResponder, 'answer'>;
  readonly clock: Clock;
}

/** Below the public listener's address; certificates name it. */
export const OCSP_PATH = '/ocsp';

const MAX_REQUEST = 16 * 1024;
/** RFC 5019 5 has clients post what is longer than 255; careless ones get room. */
const MAX_GET = 1024;
/** Caches may keep an answer this long; one near its end less. A revocation reaches third parties no later. */
const MAX_AGE_S = 300;

/** OCSP over HTTP (RFC 6960 appendix A, RFC 5019): its refusals are answers of the protocol, with status 200. */
export function ocspRoutes(ports: OcspRoutesPorts): readonly DeviceRoute[] {
  const shared = {
    audience: ['anyone'],
    // Nothing of OCSP was read yet: HTTP's own word says more than `internalError`.
    wordError: (error) =>
      HoldfastError.is(error, 'communication.body_too_large')
        ? undefined
        : wordAnswer(ports.clock, internalError(), false),
  } as const satisfies Partial<DeviceRoute>;
  const answer = async (der: Uint8Array, byGet: boolean) =>
    wordAnswer(ports.clock, await ports.responder.answer(der), byGet);
  return [
    {
      ...shared,
      method: 'POST',
      path: OCSP_PATH,
      maxBodyBytes: MAX_REQUEST,
      handle: ({ body }) => answer(body, false),
    },
    {
      ...shared,
      method: 'GET',
      path: `${OCSP_PATH}/{request}`,
      maxBodyBytes: 0,
      handle: ({ params }) => answer(requestOf(params['request'] ?? ''), true),
    },
  ];
}

/**
 * Rewrites the target of an OCSP GET so that it is one plain segment: base64 has `/` and `+`, which clients escape or
 * leave as they are (RFC 6960 A.1), and the listener reads no target that two parsers could read differently.
 *
 * Any other target, and one that is no base64, comes back as it is.
 */
export function plainTarget(target: string): string {
  const prefix = `${OCSP_PATH}/`;
  if (!target.startsWith(prefix) || target.length > MAX_GET) return target;
  try {
    const base64 = decodeURIComponent(target.slice(prefix.length));
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return target;
    return prefix + base64.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_');
  } catch {
    return target;
  }
}

/** What is no base64 is a malformed request to the responder: nothing at all. */
function requestOf(text: string): Uint8Array {
  try {
    return decodeBase64Url(text);
  } catch (error) {
    if (HoldfastError.is(error)) return new Uint8Array(0);
    throw error;
  }
}

function wordAnswer(clock: Clock, answer: OcspAnswer, byGet: boolean): DeviceResponse {
  const type = { 'content-type': 'application/ocsp-response' };
  if (answer.kind === 'refused' || !byGet || !answer.isShared) {
    return { status: 200, headers: { ...type, 'cache-control': 'no-store' }, body: answer.der };
  }
  const leftS = Math.floor((answer.nextUpdate - clock.now()) / 1000);
  return {
    status: 200,
    headers: {
      ...type,
      'cache-control': `public, no-transform, must-revalidate, max-age=${Math.max(0, Math.min(MAX_AGE_S, leftS - 1))}`,
      'last-modified': new Date(answer.thisUpdate).toUTCString(),
      expires: new Date(answer.nextUpdate).toUTCString(),
    },
    body: answer.der,
  };
}

function internalError(): OcspAnswer {
  return { kind: 'refused', error: 'internalError', der: encodeOcspError('internalError') };
}
