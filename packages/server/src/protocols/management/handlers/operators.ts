import type { CertifiedOperator, Operator } from '@holdfast/api';
import { formatRfc3339 } from '@holdfast/kernel';
import type { CertificateAuthority, CertifiedOperator as Certified, Operators } from '@holdfast/trust/identity';
import type { OperatorRecord } from '@holdfast/trust/ports';
import { decodePem, encodePem } from '@holdfast/wire/pem';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

const DAY_MS = 86_400_000;

export interface OperatorHandlerPorts {
  readonly operators: Operators;
  readonly authority: CertificateAuthority;
}

type OperatorOperation =
  | 'operators.create'
  | 'operators.certify'
  | 'operators.list'
  | 'operators.show'
  | 'operators.change-role'
  | 'operators.revoke';

export function operatorHandlers({
  operators,
  authority,
}: OperatorHandlerPorts): Pick<ManagementHandlers, OperatorOperation> {
  const certified = ({ operator, certificate }: Certified): CertifiedOperator => ({
    ...viewOperator(operator),
    fingerprint: certificate.fingerprint,
    notAfter: formatRfc3339(certificate.notAfter),
    certificatePem: toPem([certificate.der, ...authority.presentedDer]),
    anchorsPem: toPem(authority.anchorsDer),
  });
  const wishOf = ({ csrPem, days }: { readonly csrPem: string; readonly days?: number | undefined }) => ({
    csrDer: decodePem(csrPem, 'CERTIFICATE REQUEST'),
    lifetimeMs: days === undefined ? undefined : days * DAY_MS,
  });
  return {
    'operators.create': async ({ body }, { principal }) =>
      certified(await operators.create(principal, { name: body.name, role: body.role, ...wishOf(body) })),
    'operators.certify': async ({ operator, body }, { principal }) => {
      await operators.show(principal.tenant, operator);
      return certified(await operators.certify(principal, { name: operator, ...wishOf(body) }));
    },
    'operators.list': async ({ query }, { principal }) => {
      const page = await operators.list(principal.tenant, query);
      return pageOf(page.rows.map(viewOperator), page.next);
    },
    'operators.show': async ({ operator }, { principal }) =>
      viewOperator(await operators.show(principal.tenant, operator)),
    'operators.change-role': async ({ operator, body }, { principal }) =>
      viewOperator(await operators.changeRole(principal, operator, body.role)),
    'operators.revoke': async ({ operator }, { principal }) =>
      viewOperator(await operators.revoke(principal, operator)),
  };
}

function viewOperator({ name, role, state, createdAt, createdBy }: OperatorRecord): Operator {
  return { name, role, state, createdAt: formatRfc3339(createdAt), createdBy };
}

function toPem(ders: readonly Uint8Array[]): string {
  return ders.map((der) => encodePem('CERTIFICATE', der)).join('');
}
