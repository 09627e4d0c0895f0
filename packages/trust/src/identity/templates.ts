import { type Clock, HoldfastError } from '@holdfast/kernel';
import {
  parseProvisioningTemplate,
  type ProvisioningTemplate,
  type TemplateKind,
  TEMPLATE_NAME,
} from '@holdfast/wire/aws-iot';
import { decodePemBlocks } from '@holdfast/wire/pem';
import type {
  AuditLog,
  Page,
  PageRequest,
  PolicyRepository,
  ProductRepository,
  ProvisioningRule,
  ProvisioningTemplateRecord,
  ProvisioningTemplateRepository,
  ProvisioningTemplateVersion,
  ProvisioningWebhook,
  Store,
  Tenant,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import { checkRule } from './hook-rule.ts';
import type { HookSecrets } from './hook-secrets.ts';
import { policyNameOf } from './template-policies.ts';

export interface TemplatesPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly templates: ProvisioningTemplateRepository;
  readonly products: Pick<ProductRepository, 'find'>;
  readonly policies: Pick<PolicyRepository, 'find'>;
  readonly hookSecrets: Pick<HookSecrets, 'creating' | 'deleting'>;
  /** Keeps a policy that a template spells out. @throws `communication.policy_invalid` */
  readonly keepPolicy: (principal: OperatorPrincipal, name: string, document: string) => Promise<void>;
}

export interface TemplateWish {
  readonly name: string;
  readonly kind: TemplateKind;
  readonly product: string;
  /** The AWS document. */
  readonly body: string;
  readonly rule?: ProvisioningRule | undefined;
  readonly webhook?: ProvisioningWebhook | undefined;
}

/** A change replaces what it names; `null` takes a rule or a webhook away. */
export interface TemplateChange {
  readonly body?: string | undefined;
  readonly rule?: ProvisioningRule | null | undefined;
  readonly webhook?: ProvisioningWebhook | null | undefined;
}

export interface KeptTemplate {
  readonly template: ProvisioningTemplateRecord;
  /** What the webhook verifies us by, when one was set; shown this once. */
  readonly webhookSecret: Uint8Array | undefined;
}

const MAX_VERSIONS = 100;
const MAX_URL = 2048;
const MAX_CA_PEM = 65_536;
/** The doors know it as "whatever the claim's product has". */
const RESERVED = 'default';

/** Provisioning templates in versions; the newest is in force. */
export class Templates {
  readonly #ports: TemplatesPorts;

  constructor(ports: TemplatesPorts) {
    this.#ports = ports;
  }

  /**
   * @throws `identity.template_exists`, `identity.unknown_product`, `request.invalid`; `wire.malformed`,
   * `wire.duplicate`, `wire.too_large` naming what in the document is not one
   */
  async create(principal: OperatorPrincipal, wish: TemplateWish): Promise<KeptTemplate> {
    const { clock, products, templates } = this.#ports;
    const { tenant } = principal;
    const { name, kind, product, body } = wish;
    if (!TEMPLATE_NAME.test(name) || name === RESERVED) throw new HoldfastError('request.invalid', { field: 'name' });
    if (!(await products.find(tenant, product))) throw new HoldfastError('identity.unknown_product', { product });
    // The name of a product is the topic of its own claims.
    if ((await templates.find(tenant, name)) ?? (await products.find(tenant, name))) {
      throw new HoldfastError('identity.template_exists');
    }
    await this.#keepPolicies(principal, parseProvisioningTemplate(body, kind));
    const now = clock.now();
    const template: ProvisioningTemplateRecord = {
      tenant,
      name,
      kind,
      product,
      rule: wish.rule && checkRule(wish.rule),
      webhook: wish.webhook && checkWebhook(wish.webhook),
      version: 1,
      body,
      used: 0,
      createdAt: now,
      changedAt: now,
    };
    return this.#commit(principal, template, { write: templates.inserting(template), action: 'template.created' });
  }

  /** A new version, in force at once. @throws `identity.unknown_template`, `identity.template_versions`, as `create` */
  async update(principal: OperatorPrincipal, name: string, change: TemplateChange): Promise<KeptTemplate> {
    const { clock, templates } = this.#ports;
    const from = await this.show(principal.tenant, name);
    if (from.version >= MAX_VERSIONS) throw new HoldfastError('identity.template_versions', { limit: MAX_VERSIONS });
    const { body = from.body, rule = from.rule, webhook = from.webhook } = change;
    await this.#keepPolicies(principal, parseProvisioningTemplate(body, from.kind));
    const template: ProvisioningTemplateRecord = {
      ...from,
      body,
      rule: rule === null ? undefined : rule && checkRule(rule),
      webhook: webhook === null ? undefined : webhook && checkWebhook(webhook),
      version: from.version + 1,
      changedAt: clock.now(),
    };
    const hasNewHook = change.webhook !== undefined && change.webhook !== null;
    return this.#commit(principal, template, {
      write: templates.changing(from, template),
      action: 'template.changed',
      hasNewHook,
    });
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<ProvisioningTemplateRecord>> {
    return this.#ports.templates.list(tenant, page);
  }

  /** @throws `identity.unknown_template` */
  async show(tenant: Tenant, name: string): Promise<ProvisioningTemplateRecord> {
    const template = await this.#ports.templates.find(tenant, name);
    if (template === undefined) throw new HoldfastError('identity.unknown_template');
    return template;
  }

  /** Newest first. @throws `identity.unknown_template` */
  async versions(tenant: Tenant, name: string): Promise<readonly ProvisioningTemplateVersion[]> {
    await this.show(tenant, name);
    return this.#ports.templates.versions(tenant, name);
  }

  /** Claims and authorities that name it register nobody from now on. @throws `identity.unknown_template` */
  async remove(principal: OperatorPrincipal, name: string): Promise<void> {
    const { store, audit, templates, hookSecrets } = this.#ports;
    const { tenant } = principal;
    const { version, used } = await this.show(tenant, name);
    await store.commit([
      ...templates.deleting(tenant, name),
      hookSecrets.deleting(tenant, name),
      audit.entry({
        tenant,
        actor: actorOf(principal),
        action: 'template.removed',
        subject: name,
        details: { version, used },
      }),
    ]);
  }

  /** Keeps policies under the hash of their document, so that one that is there already is the same. */
  async #keepPolicies(principal: OperatorPrincipal, { policies }: ProvisioningTemplate): Promise<void> {
    for (const policy of policies) {
      if (policy.kind === 'document') {
        const name = policyNameOf(policy.document);
        const known = await this.#ports.policies.find(principal.tenant, name);
        if (known === undefined) await this.#ports.keepPolicy(principal, name, policy.document);
      } else if (policy.name.kind === 'text') {
        const known = await this.#ports.policies.find(principal.tenant, policy.name.text);
        if (known === undefined) throw new HoldfastError('identity.template_policy');
      }
    }
  }

  async #commit(
    principal: OperatorPrincipal,
    template: ProvisioningTemplateRecord,
    kept: { readonly write: Write; readonly action: string; readonly hasNewHook?: boolean },
  ): Promise<KeptTemplate> {
    const { store, audit, templates, hookSecrets } = this.#ports;
    const { tenant, name, version, body, changedAt: createdAt } = template;
    const actor = actorOf(principal);
    const needsSecret = kept.hasNewHook ?? template.webhook !== undefined;
    const made = needsSecret ? await hookSecrets.creating(tenant, name) : undefined;
    await store.commit([
      kept.write,
      templates.insertingVersion(tenant, name, { version, body, createdAt, createdBy: actor }),
      ...(made ? [made.write] : []),
      audit.entry({
        tenant,
        actor,
        action: kept.action,
        subject: name,
        details: { version, product: template.product, webhook: template.webhook !== undefined },
      }),
    ]);
    return { template, webhookSecret: made?.secret };
  }
}

/** @throws `request.invalid` */
function checkWebhook(webhook: ProvisioningWebhook): ProvisioningWebhook {
  const wrong = (field: string) => new HoldfastError('request.invalid', { field: `webhook.${field}` });
  const { url: text, caPem } = webhook;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (text.length > MAX_URL || url?.protocol !== 'https:') throw wrong('url');
  if (url.username !== '' || url.password !== '' || url.hash !== '') throw wrong('url');
  if (caPem !== undefined) {
    const isGood = caPem.length <= MAX_CA_PEM && decodePemBlocks(caPem).every(({ label }) => label === 'CERTIFICATE');
    if (!isGood) throw wrong('caPem');
  }
  return webhook;
}
