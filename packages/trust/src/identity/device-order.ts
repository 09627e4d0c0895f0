import type { DeviceId, ProductRecord, Tenant } from '../ports/index.ts';
import type { Applicant } from './certificate-request.ts';
import { lifetimeOf } from './issuance-profiles.ts';
import { deviceUri } from './names.ts';

/** What the certificate of a known device says; the registry alone names it. */
export function deviceOrder(
  applicant: Applicant,
  given: { readonly tenant: Tenant; readonly deviceId: DeviceId; readonly product: ProductRecord | undefined },
) {
  const { tenant, deviceId, product } = given;
  return {
    profile: 'device',
    publicKey: applicant.publicKey,
    // RFC 5280 bounds a common name to 64; the URI names the device in full.
    commonName: deviceId.slice(0, 64),
    names: [{ kind: 'uri', text: deviceUri(tenant, deviceId) }],
    ...lifetimeOf(product),
    subjectId: deviceId,
    keyOrigin: applicant.keyOrigin,
  } as const;
}
