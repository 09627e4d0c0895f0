import type { ErrorCode } from '@holdfast/kernel';
import type { ProvisioningHooks, ProvisioningRule } from '@holdfast/trust/ports';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { ADMIN, connection, type IdentityWorld, makeCsr } from './identity-world.ts';

/** A row of the verdict table about provisioning templates. */
export interface TemplateRow {
  readonly name: string;
  readonly rule?: string;
  readonly code: ErrorCode | 'allowed';
  readonly prepare: (world: IdentityWorld, serial: string) => Promise<{ readonly claim: ClaimPrincipal }>;
}

/** Answers by the name of the template. */
export const VERDICT_HOOKS: ProvisioningHooks = {
  async ask({ template }) {
    if (template.startsWith('deny')) return { kind: 'denied' };
    return template.startsWith('fail') ? { kind: 'failed', reason: 'timeout' } : { kind: 'allowed', overrides: {} };
  },
};

interface TemplateWish {
  readonly name?: string;
  readonly thing?: Readonly<Record<string, unknown>>;
  readonly overrides?: Readonly<Record<string, string>>;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly policy?: unknown;
  readonly rule?: ProvisioningRule;
  readonly hook?: true;
}

/** A claim for one serial number whose template names the device after it. */
async function claimWith(world: IdentityWorld, serial: string, wish: TemplateWish): Promise<ClaimPrincipal> {
  const { name = 'row', thing, overrides = {}, parameters, policy, rule, hook } = wish;
  const template = `${name}-${serial}`.slice(0, 36);
  const body = {
    Parameters: { SerialNumber: { Type: 'String' }, 'AWS::IoT::Certificate::Id': { Type: 'String' }, ...parameters },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: { ThingName: { Ref: 'SerialNumber' }, ...thing },
        OverrideSettings: overrides,
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' } },
      },
      ...(policy === undefined ? {} : { policy: { Type: 'AWS::IoT::Policy', Properties: policy } }),
    },
  };
  await world.templates.create(ADMIN, {
    name: template,
    kind: 'fleet',
    product: 'lamp',
    body: JSON.stringify(body),
    rule,
    ...(hook ? { webhook: { url: 'https://hooks.example/' } } : {}),
  });
  return world.addClaim({ serials: [serial], template });
}

const withTemplate = (wish: TemplateWish) => async (world: IdentityWorld, serial: string) => ({
  claim: await claimWith(world, serial, wish),
});

const establish = (world: IdentityWorld, deviceId: string) =>
  world.registry.establish(ADMIN, { deviceId, product: 'lamp', hardwareRevision: 'rev-a' });

const DOCUMENT = {
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'iot:Publish', Resource: 'arn:aws:iot:*:*:topic/x' },
};

export const TEMPLATE_ROWS: readonly TemplateRow[] = [
  {
    name: 'a device its template, its rule and its hook let in',
    code: 'allowed',
    prepare: (world, serial) => withTemplate({ hook: true, rule: { serials: [serial], maxDevices: 1 } })(world, serial),
  },
  {
    name: 'a claim whose template is gone',
    rule: 'template-known',
    code: 'identity.unknown_template',
    async prepare(world, serial) {
      const claim = await claimWith(world, serial, {});
      await world.templates.remove(ADMIN, `row-${serial}`);
      return { claim };
    },
  },
  {
    name: 'a template for things of another product',
    rule: 'template-of-the-product',
    code: 'identity.wrong_product',
    prepare: withTemplate({ thing: { ThingTypeName: 'lock' } }),
  },
  {
    name: 'a template that wants more parameters',
    rule: 'template-parameters',
    code: 'identity.template_parameters',
    prepare: withTemplate({
      parameters: { Place: { Type: 'String' } },
      thing: { AttributePayload: { place: { Ref: 'Place' } } },
    }),
  },
  {
    name: 'a template that makes a name out of a topic',
    rule: 'template-name',
    code: 'identity.bad_device_name',
    prepare: withTemplate({ thing: { ThingName: { 'Fn::Sub': '+/${SerialNumber}' } } }),
  },
  {
    name: 'a template with a policy nobody put',
    rule: 'template-policies',
    code: 'identity.template_policy',
    prepare: withTemplate({ policy: { PolicyName: { 'Fn::Sub': 'p-${SerialNumber}' } } }),
  },
  {
    name: 'a serial number that is not on the list of the template',
    rule: 'rule-serials',
    code: 'identity.hook_denied',
    prepare: withTemplate({ rule: { serials: ['other'] } }),
  },
  {
    name: 'a parameter the rule does not match',
    rule: 'rule-parameters',
    code: 'identity.hook_denied',
    prepare: withTemplate({ rule: { parameters: { SerialNumber: 'bulb-.*' } } }),
  },
  {
    name: 'a template that registered all it may',
    rule: 'template-within-count',
    code: 'identity.template_used_up',
    async prepare(world, serial) {
      const claim = await claimWith(world, serial, { rule: { maxDevices: 1 } });
      const first = await world.addClaim({ serials: [`${serial}-first`], template: `row-${serial}` });
      await world.enrollment.enrollDirect(first, await makeCsr(), connection('first', 'est'));
      return { claim };
    },
  },
  {
    name: 'a hook that says no',
    rule: 'hook-allows',
    code: 'identity.hook_denied',
    prepare: withTemplate({ name: 'deny', hook: true }),
  },
  {
    name: 'a hook that does not answer',
    rule: 'hook-answers',
    code: 'identity.hook_failed',
    prepare: withTemplate({ name: 'fail', hook: true }),
  },
  {
    name: 'a device of the factory step, by a template that fails for one',
    rule: 'template-overrides',
    code: 'identity.template_conflict',
    async prepare(world, serial) {
      await establish(world, serial);
      return withTemplate({ overrides: { ThingTypeName: 'FAIL' } })(world, serial);
    },
  },
  {
    name: 'a device that has as many policies as it may',
    rule: 'policies-in-number',
    code: 'communication.too_many_policies',
    async prepare(world, serial) {
      await establish(world, serial);
      const { policies } = world.repositories;
      for (let index = 0; index < 10; index++) {
        const policy = { name: `${serial}-${index}`, document: JSON.stringify(DOCUMENT), version: 1 };
        const now = world.clock.now();
        await world.opened.store.commit([
          policies.inserting({ tenant: 'default', ...policy, createdAt: now, changedAt: now }),
          policies.attaching('default', policy.name, { kind: 'device', id: serial }),
        ]);
      }
      return withTemplate({ policy: { PolicyDocument: DOCUMENT } })(world, serial);
    },
  },
];
