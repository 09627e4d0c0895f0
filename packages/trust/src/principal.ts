import type { DeviceId, Fingerprint, Tenant } from './ports/index.ts';

/** Who asks, after the peer was authenticated. Rights follow from this value and from posture, never from the request. */
export type Principal = DevicePrincipal | ClaimPrincipal | OperatorPrincipal | SystemPrincipal;

export interface DevicePrincipal {
  readonly kind: 'device';
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly fingerprint: Fingerprint;
}

/** A bootstrap credential that may only enroll. */
export interface ClaimPrincipal {
  readonly kind: 'claim';
  readonly tenant: Tenant;
  readonly claimId: string;
  readonly fingerprint: Fingerprint;
}

export interface OperatorPrincipal {
  readonly kind: 'operator';
  readonly tenant: Tenant;
  readonly name: string;
  /** How the operator came in. */
  readonly via: 'socket' | 'console' | 'certificate';
}

export interface SystemPrincipal {
  readonly kind: 'system';
  readonly tenant: Tenant;
}

/** The actor text of the audit log. */
export function actorOf(principal: Principal): string {
  if (principal.kind === 'device') return `device:${principal.deviceId}`;
  if (principal.kind === 'claim') return `claim:${principal.claimId}`;
  return principal.kind === 'operator' ? `operator:${principal.name}` : 'system';
}
