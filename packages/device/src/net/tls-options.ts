import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { PrivateKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';

/** Who the device says it is, and whom it believes. */
export interface TlsCredentials {
  /** PEM certificates from the factory step; the system's store is never used. */
  readonly anchors: readonly string[];
  readonly certificatePem: string;
  readonly key: PrivateKey;
}

/** Options of `tls.connect` and `https.request`: server always verified, TLS 1.2 or newer. */
export function tlsOptions({ anchors, certificatePem, key }: TlsCredentials, host: string): ConnectionOptions {
  return {
    ca: [...anchors],
    cert: certificatePem,
    key: key.exportPem(),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** A socket's error as one of ours: the server is untrusted, or refuses us, or is not there. */
export function connectionError(error: unknown): HoldfastError {
  if (HoldfastError.is(error)) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (UNTRUSTED.has(code)) return new HoldfastError('device.server_untrusted', { reason: code }, { cause: error });
  // The alert comes when the server has looked at our certificate.
  if (/ALERT|ERR_SSL_TLSV/.test(code)) {
    return new HoldfastError('device.connection_refused', { reason: code }, { cause: error });
  }
  return new HoldfastError('device.connection_lost', { reason: code }, { cause: error });
}
