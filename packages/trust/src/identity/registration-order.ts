import type { CertificateRecord } from '../ports/index.ts';
import type { ClaimFacts, RegistrationFacts } from './enrollment-policy.ts';
import type { TemplateOrder } from './template-desk.ts';
import type { TemplatePlan } from './template-plan.ts';

/** What a registration brings for a template; a door without parameters brings its serial number alone. */
export interface ProvisioningWish {
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Of the subject of a certificate somebody else issued. */
  readonly pseudo?: Readonly<Record<string, string>> | undefined;
  readonly certificate?: Pick<CertificateRecord, 'fingerprint' | 'der'> | undefined;
  readonly clientId?: string | undefined;
}

/** The plan of a registration that its template does not refuse. */
export function planIn({ plan }: Pick<RegistrationFacts, 'plan'>): TemplatePlan | undefined {
  return plan?.kind === 'planned' ? plan : undefined;
}

/** Who lets a device in, as the log has it. */
export function grantorOf({ grantor, claim }: ClaimFacts): string {
  return grantor?.actor ?? `claim:${claim.claimId}`;
}

/** What the desk is asked for one registration. */
export function orderOf(facts: ClaimFacts, serialNumber: string, wish: ProvisioningWish = {}): TemplateOrder {
  const { claim, grantor } = facts;
  const { certificate, parameters = { SerialNumber: serialNumber } } = wish;
  const id = certificate && { 'AWS::IoT::Certificate::Id': certificate.fingerprint };
  return {
    tenant: claim.tenant,
    template: claim.template ?? '',
    product: claim.product,
    parameters,
    pseudo: { ...wish.pseudo, ...id },
    certificate,
    claimCertificateId: grantor === undefined ? claim.fingerprint : undefined,
    clientId: wish.clientId ?? serialNumber,
    actor: grantorOf(facts),
  };
}
