import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { HoldfastError } from '@holdfast/kernel';
import { type DeviceKey, isHardwareKey, tlsKeyOf } from '../keys/key-store.ts';

/** Who the device says it is, and whom it believes. */
export interface TlsCredentials {
  /** PEM certificates from the factory step; the system's store is never used. */
  readonly anchors: readonly string[];
  readonly certificatePem: string;
  readonly key: DeviceKey;
  /** What the ratchet shows on a new connection; undefined while the device takes no part. */
  readonly proof?: () => Uint8Array | undefined;
}

/** Whom a device believes that has no certificate of its own yet. */
export type ServerTrust = Pick<TlsCredentials, 'anchors'>;

/**
 * Options of `tls.connect` and `https.request`: server always verified, TLS 1.2 or newer.
 *
 * @throws `device.key_not_usable_for_tls` for a key in a chip whose OpenSSL provider or engine is not loaded
 */
export function tlsOptions(credentials: TlsCredentials | ServerTrust, host: string): ConnectionOptions {
  return {
    ...ownOptions(credentials),
    rejectUnauthorized: true,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}

function ownOptions(credentials: TlsCredentials | ServerTrust): ConnectionOptions {
  const trust: ConnectionOptions = { ca: [...credentials.anchors], minVersion: 'TLSv1.2' };
  if (!('key' in credentials)) return trust;
  const own = { ...trust, cert: credentials.certificatePem, ...tlsKeyOf(credentials.key) };
  if (!isHardwareKey(credentials.key)) return own;
  try {
    // Loaded once, and here, so that the absence of its provider has a name.
    return { secureContext: createSecureContext(own) };
  } catch (cause) {
    throw new HoldfastError('device.key_not_usable_for_tls', {}, { cause });
  }
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
  // A provider is loaded, but not asked first: the signature went to the one that knows the public half alone.
  if (code === 'ERR_SSL_MISSING_PRIVATE_KEY') {
    return new HoldfastError('device.key_not_usable_for_tls', { reason: code }, { cause: error });
  }
  if (UNTRUSTED.has(code)) return new HoldfastError('device.server_untrusted', { reason: code }, { cause: error });
  // The alert comes when the server has looked at our certificate.
  if (/ALERT|ERR_SSL_TLSV/.test(code)) {
    return new HoldfastError('device.connection_refused', { reason: code }, { cause: error });
  }
  return new HoldfastError('device.connection_lost', { reason: code }, { cause: error });
}
