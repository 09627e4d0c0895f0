import type { EpochMs, ErrorCode } from '@holdfast/kernel';
import type { CertificateRecord, CertificateState, ClaimRecord, DeviceRecord, DeviceState } from '../ports/index.ts';

const BY_STATE: Readonly<Record<CertificateState, ErrorCode | undefined>> = {
  active: undefined,
  successor: undefined,
  pending: 'identity.certificate_pending',
  superseded: 'identity.certificate_superseded',
  revoked: 'identity.certificate_revoked',
  abandoned: 'identity.certificate_revoked',
};

const BY_DEVICE_STATE: Readonly<Record<DeviceState, ErrorCode | undefined>> = {
  active: undefined,
  established: 'identity.device_not_enrolled',
  suspended: 'identity.device_suspended',
  quarantined: 'identity.device_quarantined',
  revoked: 'identity.device_revoked',
  archived: 'identity.device_archived',
};

/** Why a certificate may not be used now; undefined when it may. TLS does not look at dates when it resumes. */
export function refusalOfCertificate(certificate: CertificateRecord | undefined, now: EpochMs): ErrorCode | undefined {
  if (certificate === undefined) return 'identity.unknown_certificate';
  const code = BY_STATE[certificate.state];
  if (code !== undefined) return code;
  if (now < certificate.notBefore) return 'identity.certificate_not_yet_valid';
  return now > certificate.notAfter ? 'identity.certificate_expired' : undefined;
}

export function refusalOfDevice(device: DeviceRecord | undefined): ErrorCode | undefined {
  return device === undefined ? 'identity.unknown_device' : BY_DEVICE_STATE[device.state];
}

export function refusalOfClaim(claim: ClaimRecord | undefined, now: EpochMs): ErrorCode | undefined {
  if (claim === undefined) return 'identity.unknown_claim';
  if (claim.state !== 'active') return 'identity.claim_revoked';
  return now >= claim.expiresAt ? 'identity.claim_expired' : undefined;
}
