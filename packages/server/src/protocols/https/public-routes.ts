import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { CertificateRepository, CrlRepository, Fingerprint } from '@holdfast/trust/ports';
import type { DeviceRequest, DeviceResponse, DeviceRoute } from './device-route.ts';

export interface PublicRoutesPorts {
  readonly crls: Pick<CrlRepository, 'find'>;
  readonly certificates: Pick<CertificateRepository, 'find'>;
  readonly clock: Clock;
}

/** Where the revocation list of an issuer is, below the public listener's address. */
export const crlPath = (issuer: Fingerprint): string => `/crl/${issuer}.crl`;

/** Where an issuer's own certificate is. */
export const issuerPath = (issuer: Fingerprint): string => `/ca/${issuer}.cer`;

/** Caches may keep an answer this long; a list near its end less. */
const MAX_AGE_S = 300;

/** Revocation lists and issuer certificates (RFC 5280 4.2.1.13 and 4.2.2.1): signed, so plain HTTP carries them. */
export function publicRoutes(ports: PublicRoutesPorts): readonly DeviceRoute[] {
  return (['GET', 'HEAD'] as const).flatMap((method) => [
    route(method, '/crl/{file}', (request) => crl(ports, request)),
    route(method, '/ca/{file}', (request) => issuer(ports, request)),
  ]);
}

function route(method: 'GET' | 'HEAD', path: string, handle: DeviceRoute['handle']): DeviceRoute {
  return { method, path, audience: ['anyone'], maxBodyBytes: 0, handle };
}

async function crl({ clock, crls }: PublicRoutesPorts, request: DeviceRequest): Promise<DeviceResponse> {
  const list = await crls.find(fingerprintOf(request, '.crl'));
  if (list === undefined) throw new HoldfastError('communication.no_such_door');
  const leftS = Math.floor((list.nextUpdate - clock.now()) / 1000);
  return {
    status: 200,
    headers: {
      'content-type': 'application/pkix-crl',
      'cache-control': `public, max-age=${Math.max(0, Math.min(MAX_AGE_S, leftS))}`,
      'last-modified': new Date(list.thisUpdate).toUTCString(),
    },
    body: list.der,
  };
}

async function issuer({ certificates }: PublicRoutesPorts, request: DeviceRequest): Promise<DeviceResponse> {
  const certificate = await certificates.find(fingerprintOf(request, '.cer'));
  // Devices' certificates name them: only those of authorities are anybody's business.
  if (certificate?.profile !== 'root' && certificate?.profile !== 'issuing') {
    throw new HoldfastError('communication.no_such_door');
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/pkix-cert', 'cache-control': `public, max-age=${MAX_AGE_S}` },
    body: certificate.der,
  };
}

function fingerprintOf(request: DeviceRequest, ending: string): Fingerprint {
  const file = request.params['file'] ?? '';
  if (!file.endsWith(ending)) throw new HoldfastError('communication.no_such_door');
  return file.slice(0, -ending.length);
}
