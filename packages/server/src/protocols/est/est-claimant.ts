import { HoldfastError } from '@holdfast/kernel';
import type { OneTimePasswords } from '@holdfast/trust/identity';
import type { OneTimePassword, Tenant } from '@holdfast/trust/ports';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { type BasicCredentials, decodeBasicCredentials } from '@holdfast/wire/est';
import type { DeviceRequest } from '../https/device-route.ts';

export interface ClaimantPorts {
  /** Whose passwords the enrollment listener takes. */
  readonly tenant: Tenant;
  readonly passwords: Pick<OneTimePasswords, 'check'>;
}

/** Who enrolls: a claim, by its certificate or by a password of it. */
export interface Claimant {
  readonly claim: ClaimPrincipal;
  readonly password: OneTimePassword | undefined;
}

/**
 * A client certificate is the claim itself; where there is none HTTP Basic opens one (RFC 7030 3.2.3).
 *
 * @throws `identity.bad_password`, the same for none, an unknown, a wrong, a used and an expired one;
 * `identity.rate_limited`; `request.forbidden` for a device, which renews
 */
export async function claimantOf(ports: ClaimantPorts, request: DeviceRequest): Promise<Claimant> {
  const { principal, remoteAddress } = request;
  if (principal?.kind === 'claim') return { claim: principal, password: undefined };
  if (principal !== undefined) throw new HoldfastError('request.forbidden');
  const given = credentialsOf(request);
  if (given === undefined) throw new HoldfastError('identity.bad_password');
  const verdict = await ports.passwords.check({ tenant: ports.tenant, ...given, remoteAddress });
  if (verdict.kind === 'limited') throw new HoldfastError('identity.rate_limited');
  if (verdict.kind === 'refused') throw new HoldfastError('identity.bad_password');
  return { claim: verdict.principal, password: verdict.password };
}

function credentialsOf({ headers }: DeviceRequest): BasicCredentials | undefined {
  try {
    return decodeBasicCredentials(headers['authorization']);
  } catch (cause) {
    throw new HoldfastError('identity.bad_password', {}, { cause });
  }
}
