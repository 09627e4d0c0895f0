import { encodePem } from '@holdfast/wire/pem';
import type {
  AuditLog,
  CertificateRecord,
  Fingerprint,
  HookAnswer,
  PolicyRepository,
  ProvisioningHooks,
  ProvisioningTemplateRecord,
  ProvisioningTemplateRepository,
  Store,
  Tenant,
} from '../ports/index.ts';
import { brokenRule } from './hook-rule.ts';
import { planOf, type PseudoParameters, refusedBy, type TemplatePlan, type TemplateRefusal } from './template-plan.ts';

export interface TemplateDeskPorts {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly templates: ProvisioningTemplateRepository;
  readonly policies: Pick<PolicyRepository, 'find' | 'attachedTo' | 'attaching'>;
  readonly hooks: ProvisioningHooks;
}

/** One registration by a template. */
export interface TemplateOrder {
  readonly tenant: Tenant;
  readonly template: string;
  readonly product: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly pseudo: PseudoParameters;
  /** Undefined where it is made after the answer. */
  readonly certificate: Pick<CertificateRecord, 'fingerprint' | 'der'> | undefined;
  readonly claimCertificateId: Fingerprint | undefined;
  readonly clientId: string;
  /** Who asks, for the log. */
  readonly actor: string;
}

const MAX_OVERRIDES = 64;
const MAX_OVERRIDE = 4096;

/**
 * Turns a template and parameters into a plan: applies the document, asks the rule, then the webhook.
 *
 * Everything here is before the unit of work: a hook that takes its time holds up nobody's transaction.
 */
export class TemplateDesk {
  readonly #ports: TemplateDeskPorts;

  constructor(ports: TemplateDeskPorts) {
    this.#ports = ports;
  }

  async plan(order: TemplateOrder): Promise<TemplatePlan | TemplateRefusal> {
    const template = await this.#ports.templates.find(order.tenant, order.template);
    if (template === undefined) return refusedBy('template-known');
    if (template.product !== order.product) return refusedBy('template-of-the-product');
    const first = await this.#judge(template, order);
    if (first.kind === 'refused' || template.webhook === undefined) return first;
    const answer = await this.#ask(template, template.webhook, order);
    if (answer.kind === 'denied') return refusedBy('hook-allows');
    if (answer.kind === 'failed') return refusedBy('hook-answers');
    const overrides = Object.entries(answer.overrides);
    if (overrides.length === 0) return first;
    // What the hook changed is held to the same rules.
    return this.#judge(template, { ...order, parameters: { ...order.parameters, ...answer.overrides } });
  }

  /** What the registered device is told again when the first answer was lost; nobody is asked. */
  async planAgain(order: TemplateOrder): Promise<TemplatePlan | undefined> {
    const template = await this.#ports.templates.find(order.tenant, order.template);
    const plan = template && planOf(template, order);
    return plan?.kind === 'planned' ? plan : undefined;
  }

  async #judge(
    template: ProvisioningTemplateRecord,
    { tenant, parameters, pseudo }: TemplateOrder,
  ): Promise<TemplatePlan | TemplateRefusal> {
    const plan = planOf(template, { parameters, pseudo });
    if (plan.kind === 'refused') return plan;
    const { serialNumber } = plan;
    const broken = brokenRule(template.rule, { parameters, serialNumber, used: template.used });
    if (broken !== undefined) return broken;
    for (const name of plan.policies) {
      if ((await this.#ports.policies.find(tenant, name)) === undefined) return refusedBy('template-policies');
    }
    return plan;
  }

  async #ask(
    template: ProvisioningTemplateRecord,
    webhook: NonNullable<ProvisioningTemplateRecord['webhook']>,
    order: TemplateOrder,
  ): Promise<HookAnswer> {
    const { store, audit, hooks } = this.#ports;
    const { tenant, certificate, claimCertificateId, clientId, parameters, actor } = order;
    const question = {
      claimCertificateId,
      certificateId: certificate?.fingerprint,
      certificatePem: certificate && encodePem('CERTIFICATE', certificate.der),
      templateArn: `arn:aws:iot:local:000000000000:provisioningtemplate/${template.name}`,
      clientId,
      parameters,
    };
    const answer = boundedAnswer(await hooks.ask({ tenant, template: template.name, webhook }, question));
    await store.commit([
      audit.entry({
        tenant,
        actor,
        action: `hook.${answer.kind}`,
        subject: template.name,
        details: {
          certificate: certificate?.fingerprint ?? null,
          version: template.version,
          overrides: answer.kind === 'allowed' ? Object.keys(answer.overrides).length : 0,
          reason: answer.kind === 'failed' ? answer.reason : null,
        },
      }),
    ]);
    return answer;
  }
}

function boundedAnswer(answer: HookAnswer): HookAnswer {
  if (answer.kind !== 'allowed') return answer;
  const overrides = Object.entries(answer.overrides);
  const isBounded = overrides.length <= MAX_OVERRIDES && overrides.every(([, value]) => value.length <= MAX_OVERRIDE);
  return isBounded ? answer : { kind: 'failed', reason: 'overrides' };
}
