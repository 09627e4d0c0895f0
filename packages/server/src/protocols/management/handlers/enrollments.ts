import type { EnrollmentRequest as RequestView, OneTimePassword as PasswordView } from '@holdfast/api';
import { type Clock, type EpochMs, formatRfc3339 } from '@holdfast/kernel';
import type { EnrollmentApprovals, OneTimePasswords } from '@holdfast/trust/identity';
import type { EnrollmentRequest, OneTimePassword } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

const HOUR_MS = 3_600_000;

export interface EnrollmentHandlerPorts {
  readonly clock: Clock;
  readonly passwords: OneTimePasswords;
  readonly approvals: EnrollmentApprovals;
}

type EnrollmentOperation =
  | 'claims.mint-passwords'
  | 'claims.passwords'
  | 'enrollment-requests.list'
  | 'enrollment-requests.approve'
  | 'enrollment-requests.deny';

export function enrollmentHandlers(ports: EnrollmentHandlerPorts): Pick<ManagementHandlers, EnrollmentOperation> {
  const { clock, passwords, approvals } = ports;
  return {
    'claims.mint-passwords': async ({ claim, body }, { principal }) => {
      const { serials, count, expiresInHours } = body;
      const expiresAt = expiresInHours === undefined ? undefined : clock.now() + expiresInHours * HOUR_MS;
      const minted = await passwords.mint(principal, { claimId: claim, serials, count, expiresAt });
      return {
        passwords: minted.map(({ record, password }) => ({
          id: record.passwordId,
          ...(record.serialNumber === undefined ? {} : { serial: record.serialNumber }),
          password,
          expiresAt: formatRfc3339(record.expiresAt),
        })),
      };
    },
    'claims.passwords': async ({ claim, query }, { principal }) => {
      const page = await passwords.list(principal.tenant, claim, query);
      return pageOf(
        page.rows.map((row) => viewPassword(row, clock.now())),
        page.next,
      );
    },
    'enrollment-requests.list': async ({ query }, { principal }) => {
      const page = await approvals.list(principal.tenant, query);
      return pageOf(page.rows.map(viewRequest), page.next);
    },
    'enrollment-requests.approve': async ({ request }, { principal }) =>
      viewRequest(await approvals.approve(principal, request)),
    'enrollment-requests.deny': async ({ request }, { principal }) =>
      viewRequest(await approvals.deny(principal, request)),
  };
}

function viewPassword(row: OneTimePassword, now: EpochMs): PasswordView {
  return {
    id: row.passwordId,
    ...(row.serialNumber === undefined ? {} : { serial: row.serialNumber }),
    state: row.state === 'open' && now >= row.expiresAt ? 'expired' : row.state,
    createdAt: formatRfc3339(row.createdAt),
    expiresAt: formatRfc3339(row.expiresAt),
    ...(row.usedAt === undefined ? {} : { usedAt: formatRfc3339(row.usedAt) }),
  };
}

function viewRequest(row: EnrollmentRequest): RequestView {
  return {
    id: row.requestId,
    product: row.product,
    serial: row.serialNumber,
    claim: row.claimId,
    state: row.state === 'issued' ? 'approved' : row.state,
    keySha256: row.spkiSha256,
    address: row.remoteAddress,
    createdAt: formatRfc3339(row.createdAt),
    expiresAt: formatRfc3339(row.expiresAt),
    ...(row.decidedBy === undefined ? {} : { decidedBy: row.decidedBy }),
  };
}
