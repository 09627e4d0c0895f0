import type { CertificateRecord, CertificateState } from '../ports/index.ts';

const LIVE: Readonly<Record<CertificateState, boolean>> = {
  pending: false,
  active: true,
  successor: true,
  superseded: false,
  revoked: false,
  abandoned: false,
};

/** Attached to a device and not revoked, whatever its dates say: an expired one still bars a second door. */
export function isLive(certificate: Pick<CertificateRecord, 'state'>): boolean {
  return LIVE[certificate.state];
}

/** Whether it can still be revoked. */
export function isUnrevoked(certificate: Pick<CertificateRecord, 'state'>): boolean {
  return LIVE[certificate.state] || certificate.state === 'pending';
}
