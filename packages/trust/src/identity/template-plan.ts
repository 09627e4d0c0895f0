import { type ErrorCode, HoldfastError } from '@holdfast/kernel';
import {
  evaluateText,
  evaluateTexts,
  type ExpressionValues,
  parseProvisioningTemplate,
  type ProvisioningTemplate,
  type TemplateKind,
  type TemplateThing,
} from '@holdfast/wire/aws-iot';
import type { DeviceId, ProvisioningTemplateRecord } from '../ports/index.ts';
import { checkAttributes, checkDeviceName, checkGroupNames } from './names.ts';
import { policyNameOf } from './template-policies.ts';

/** What a template makes of one registration. */
export interface TemplatePlan {
  readonly kind: 'planned';
  readonly template: ProvisioningTemplateRecord;
  readonly deviceId: DeviceId;
  /** The parameter `SerialNumber`, or the thing's name. */
  readonly serialNumber: string;
  /** Undefined where the template says nothing of it. */
  readonly attributes: Readonly<Record<string, string>> | undefined;
  readonly groups: readonly string[] | undefined;
  readonly overrides: TemplateThing['overrides'];
  readonly policies: readonly string[];
  /** Whether the device may come in at once, or an operator has to let it. */
  readonly isActive: boolean;
  readonly deviceConfiguration: Readonly<Record<string, string>> | undefined;
}

/** Why a template refuses a registration; a row of the policy table stands for each rule. */
export interface TemplateRefusal {
  readonly kind: 'refused';
  readonly rule: TemplateRule;
  readonly code: ErrorCode;
}

export type TemplateRule = keyof typeof TEMPLATE_RULES;

/** The rules of templates, in the order they are asked; the attack each stops. */
export const TEMPLATE_RULES = {
  'template-known': {
    code: 'identity.unknown_template',
    attack: 'a claim goes on without the template it was made for',
  },
  'template-of-the-product': {
    code: 'identity.wrong_product',
    attack: 'the template of one product makes devices of another',
  },
  'template-parameters': { code: 'identity.template_parameters', attack: 'a device that is named by what is missing' },
  'template-name': {
    code: 'identity.bad_device_name',
    attack: 'a name that a topic filter or a policy reads as more than a name',
  },
  'template-policies': {
    code: 'identity.template_policy',
    attack: 'a device with other rights than its template gives',
  },
  'rule-serials': { code: 'identity.hook_denied', attack: 'a leaked claim used for devices nobody made' },
  'rule-parameters': { code: 'identity.hook_denied', attack: 'parameters nobody foresaw' },
  'template-within-count': {
    code: 'identity.template_used_up',
    attack: 'one leaked claim after another makes a whole fleet',
  },
  'hook-allows': { code: 'identity.hook_denied', attack: 'a device the maker does not know' },
  'hook-answers': { code: 'identity.hook_failed', attack: 'a hook that is kept from answering' },
} as const satisfies Record<string, { readonly code: ErrorCode; readonly attack: string }>;

export function refusedBy(rule: TemplateRule): TemplateRefusal {
  return { kind: 'refused', rule, code: TEMPLATE_RULES[rule].code };
}

/** What a template may refer to besides its parameters: of the certificate that is registered. */
export type PseudoParameters = Readonly<Record<string, string>>;

const PSEUDO = 'AWS::IoT::Certificate::';

/** Applies a template to parameters; it never throws for what the asker sent. */
export function planOf(
  record: ProvisioningTemplateRecord,
  given: { readonly parameters: Readonly<Record<string, string>>; readonly pseudo: PseudoParameters },
): TemplatePlan | TemplateRefusal {
  const template = parseProvisioningTemplate(record.body, record.kind);
  const values = valuesOf(template, given, record.kind);
  if (values === undefined) return refusedBy('template-parameters');
  try {
    return evaluate(record, template, values, given.parameters['SerialNumber']);
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    if (error.code === 'identity.bad_device_name') return refusedBy('template-name');
    if (/^(?:wire|request)\./.test(error.code)) return refusedBy('template-parameters');
    throw error;
  }
}

/** Parameters that were given or have a default; a pseudo-parameter comes from the certificate, never from the asker. */
function valuesOf(
  { parameters, mappings }: ProvisioningTemplate,
  given: { readonly parameters: Readonly<Record<string, string>>; readonly pseudo: PseudoParameters },
  kind: TemplateKind,
): ExpressionValues | undefined {
  const values = new Map<string, string>();
  for (const [name, fallback] of parameters) {
    const from = name.startsWith(PSEUDO) ? given.pseudo : given.parameters;
    const value = Object.hasOwn(from, name) ? from[name] : fallback;
    // AWS fails the registration when a declared attribute is not in the certificate (JITP).
    if (value === undefined && name.startsWith(PSEUDO) && kind === 'jitp') return undefined;
    if (value !== undefined) values.set(name, value);
  }
  return { parameters: values, mappings };
}

function evaluate(
  record: ProvisioningTemplateRecord,
  template: ProvisioningTemplate,
  values: ExpressionValues,
  serialNumber: string | undefined,
): TemplatePlan | TemplateRefusal {
  const { thing, certificate } = template;
  const typeName = thing.typeName && evaluateText(thing.typeName, values, 'ThingTypeName');
  if (typeName !== undefined && typeName !== record.product) return refusedBy('template-of-the-product');
  const deviceId = checkDeviceName(evaluateText(thing.name, values, 'ThingName'));
  const status = certificate.status ? evaluateText(certificate.status, values, 'Status').toUpperCase() : 'ACTIVE';
  if (status !== 'ACTIVE' && status !== 'INACTIVE') return refusedBy('template-parameters');
  const attributes = textsOf(thing.attributes, values);
  if (attributes !== undefined) checkAttributes(attributes);
  return {
    kind: 'planned',
    template: record,
    deviceId,
    serialNumber: serialNumber ?? deviceId,
    attributes,
    groups: thing.groups && checkGroupNames(evaluateTexts(thing.groups, values, 'ThingGroups')),
    overrides: thing.overrides,
    policies: template.policies.map((policy) =>
      policy.kind === 'document' ? policyNameOf(policy.document) : evaluateText(policy.name, values, 'PolicyName'),
    ),
    isActive: status === 'ACTIVE',
    deviceConfiguration: textsOf(template.deviceConfiguration, values),
  };
}

function textsOf(
  entries: TemplateThing['attributes'],
  values: ExpressionValues,
): Readonly<Record<string, string>> | undefined {
  return entries && Object.fromEntries(entries.map(([name, each]) => [name, evaluateText(each, values, name)]));
}
