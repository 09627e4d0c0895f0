import type { KeptTemplate as KeptTemplateView, ProvisioningTemplate as TemplateView } from '@holdfast/api';
import { encodeBase64, formatRfc3339 } from '@holdfast/kernel';
import type { KeptTemplate, Templates } from '@holdfast/trust/identity';
import type { ProvisioningRule, ProvisioningTemplateRecord } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

export interface TemplateHandlerPorts {
  readonly templates: Templates;
}

type TemplateOperation =
  | 'templates.create'
  | 'templates.update'
  | 'templates.list'
  | 'templates.show'
  | 'templates.versions'
  | 'templates.remove';

export function templateHandlers({ templates }: TemplateHandlerPorts): Pick<ManagementHandlers, TemplateOperation> {
  return {
    'templates.create': async ({ body }, { principal }) => viewKept(await templates.create(principal, body)),
    'templates.update': async ({ template, body }, { principal }) =>
      viewKept(await templates.update(principal, template, body)),
    'templates.list': async ({ query }, { principal }) => {
      const { rows, next } = await templates.list(principal.tenant, query);
      return pageOf(rows.map(viewTemplate), next);
    },
    'templates.show': async ({ template }, { principal }) =>
      viewTemplate(await templates.show(principal.tenant, template)),
    'templates.versions': async ({ template }, { principal }) => {
      const versions = await templates.versions(principal.tenant, template);
      return { rows: versions.map((version) => ({ ...version, createdAt: formatRfc3339(version.createdAt) })) };
    },
    'templates.remove': async ({ template }, { principal }) => {
      await templates.remove(principal, template);
      return {};
    },
  };
}

function viewTemplate(template: ProvisioningTemplateRecord): TemplateView {
  const { name, kind, product, version, body, rule, webhook, used } = template;
  return {
    name,
    kind,
    product,
    version,
    body,
    ...(rule === undefined ? {} : { rule: viewRule(rule) }),
    ...(webhook === undefined ? {} : { webhook: { ...webhook } }),
    used,
    createdAt: formatRfc3339(template.createdAt),
    changedAt: formatRfc3339(template.changedAt),
  };
}

function viewRule({ serials, parameters, maxDevices }: ProvisioningRule): NonNullable<TemplateView['rule']> {
  return {
    ...(serials === undefined ? {} : { serials: [...serials] }),
    ...(parameters === undefined ? {} : { parameters: { ...parameters } }),
    ...(maxDevices === undefined ? {} : { maxDevices }),
  };
}

function viewKept({ template, webhookSecret }: KeptTemplate): KeptTemplateView {
  const view = viewTemplate(template);
  return webhookSecret === undefined ? view : { ...view, webhookSecret: `whsec_${encodeBase64(webhookSecret)}` };
}
