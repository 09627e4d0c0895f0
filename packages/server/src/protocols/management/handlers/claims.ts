import type { Clock } from '@holdfast/kernel';
import type { Claims } from '@holdfast/trust/identity';
import { encodePem } from '@holdfast/wire/pem';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';
import { viewClaim } from './views.ts';

const HOUR_MS = 3_600_000;
/** As AWS has it for a claim that a trusted user asks for. */
const TRUSTED_USER_MS = 300_000;

export interface ClaimHandlerPorts {
  readonly clock: Clock;
  readonly claims: Claims;
}

type ClaimOperation = 'claims.create' | 'claims.list' | 'claims.show' | 'claims.cancel';

export function claimHandlers({ claims, clock }: ClaimHandlerPorts): Pick<ManagementHandlers, ClaimOperation> {
  return {
    'claims.create': async ({ body }, { principal }) => {
      const { expiresInHours, trustedUser, ...wish } = body;
      const now = clock.now();
      const expiresAt = now + (trustedUser ? TRUSTED_USER_MS : expiresInHours * HOUR_MS);
      const isBounded = wish.serials !== undefined || wish.quota !== undefined;
      const created = await claims.create(principal, { ...wish, ...(isBounded ? {} : { quota: 1 }), expiresAt });
      return {
        ...viewClaim(created.claim, now),
        certificatePem: encodePem('CERTIFICATE', created.certificateDer),
        privateKeyPem: encodePem('PRIVATE KEY', created.privateKeyPkcs8),
      };
    },
    'claims.list': async ({ query }, { principal }) => {
      const page = await claims.list(principal.tenant, query);
      return pageOf(
        page.rows.map((claim) => viewClaim(claim, clock.now())),
        page.next,
      );
    },
    'claims.show': async ({ claim }, { principal }) =>
      viewClaim(await claims.show(principal.tenant, claim), clock.now()),
    'claims.cancel': async ({ claim }, { principal }) => viewClaim(await claims.cancel(principal, claim), clock.now()),
  };
}
