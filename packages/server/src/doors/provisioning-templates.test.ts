import { HoldfastError } from '@holdfast/kernel';
import type { HookAnswer, HookQuestion } from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const POLICY = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }] };

interface BodyWish {
  readonly thing?: Readonly<Record<string, unknown>>;
  readonly overrides?: Readonly<Record<string, string>>;
  readonly status?: string;
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A thing called `lamp-{SerialNumber}`, in a group and with attributes of its place. */
function body({ thing = {}, overrides, status, more = {} }: BodyWish = {}): string {
  return JSON.stringify({
    Parameters: {
      SerialNumber: { Type: 'String' },
      Place: { Type: 'String', Default: 'hall' },
      'AWS::IoT::Certificate::Id': { Type: 'String' },
    },
    Mappings: { Hosts: { hall: { url: 'https://hall.example' }, roof: { url: 'https://roof.example' } } },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: {
          ThingName: { 'Fn::Sub': 'lamp-${SerialNumber}' },
          ThingTypeName: 'lamp',
          ThingGroups: ['lamps', { Ref: 'Place' }],
          AttributePayload: { place: { Ref: 'Place' } },
          ...thing,
        },
        ...(overrides ? { OverrideSettings: overrides } : {}),
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, ...(status ? { Status: status } : {}) },
      },
      policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: POLICY } },
      ...more,
    },
    DeviceConfiguration: { url: { 'Fn::FindInMap': ['Hosts', { Ref: 'Place' }, 'url'] } },
  });
}

let world: IdentityWorld;
let asked: HookQuestion[];
let answer: (question: HookQuestion) => HookAnswer;

beforeEach(async () => {
  asked = [];
  answer = () => ({ kind: 'allowed', overrides: {} });
  world = await openIdentityWorld({
    hooks: {
      ask: async (_of, question) => {
        asked.push(question);
        return answer(question);
      },
    },
  });
  await world.addProduct('lamp');
  await world.addProduct('lock');
});
afterEach(() => world.opened.close());

const create = (wish: Partial<Parameters<IdentityWorld['templates']['create']>[1]> = {}) =>
  world.templates.create(ADMIN, { name: 'halls', kind: 'fleet', product: 'lamp', body: body(), ...wish });

interface RegisterWish {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly template?: string;
  readonly claim?: Parameters<IdentityWorld['addClaim']>[0];
}

async function register({ parameters = { SerialNumber: 'S1' }, template = 'halls', claim = {} }: RegisterWish = {}) {
  const principal = await world.addClaim({ template: 'halls', ...claim });
  const context = { ...connection(), clientId: 'line-1' };
  const made = await world.enrollment.createCertificate(principal, { csrDer: await makeCsr() }, context);
  const wish = { template, ownershipToken: made.ownershipToken, parameters };
  return { ...(await world.enrollment.registerThing(principal, wish, context)), made, principal, wish, context };
}

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'registered',
    (error: unknown) => (HoldfastError.is(error) ? error.code : String(error)),
  );

const lastRule = async () => JSON.parse((await world.audit()).at(-1)?.details ?? '{}') as { rule?: string };

describe('a registration by template', () => {
  it('names the device, its groups, attributes, policies and configuration', async () => {
    await create();
    const { deviceId, deviceConfiguration, made } = await register({
      parameters: { SerialNumber: 'S1', Place: 'roof' },
    });
    expect([deviceId, deviceConfiguration]).toEqual(['lamp-S1', { url: 'https://roof.example' }]);
    const { devices, policies, certificates } = world.repositories;
    expect(await devices.find('default', 'lamp-S1')).toMatchObject({
      serialNumber: 'S1',
      state: 'active',
      attributes: { place: 'roof' },
      product: 'lamp',
    });
    expect(await devices.groupsOf('default', 'lamp-S1')).toEqual(['lamps', 'roof']);
    const [policy = ''] = await policies.attachedTo('default', { kind: 'device', id: 'lamp-S1' });
    expect(JSON.parse((await policies.find('default', policy))?.document ?? '{}')).toEqual(POLICY);
    expect(await certificates.find(made.certificateId)).toMatchObject({ state: 'active', subjectId: 'lamp-S1' });
    expect((await world.templates.show('default', 'halls')).used).toBe(1);
    expect((await world.audit()).at(-1)?.details).toContain('"template":"halls"');
  });

  it('gives the same answer again when the first one was lost, and counts once', async () => {
    await create();
    const { principal, wish, context, deviceConfiguration } = await register();
    const again = await world.enrollment.registerThing(principal, wish, context);
    expect(again).toEqual({ deviceId: 'lamp-S1', deviceConfiguration });
    expect((await world.templates.show('default', 'halls')).used).toBe(1);
  });

  it('holds at the door of EST too, where the serial number is the one parameter', async () => {
    await create();
    const claim = await world.addClaim({ template: 'halls', serials: ['S7'] });
    const { deviceId } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    expect(deviceId).toBe('lamp-S7');
    expect(await world.repositories.devices.groupsOf('default', 'lamp-S7')).toEqual(['hall', 'lamps']);
  });

  it('leaves a device that its template makes inactive to an operator', async () => {
    await create({ body: body({ status: 'Inactive' }) });
    const { deviceId, made } = await register();
    expect(await world.repositories.devices.find('default', deviceId)).toMatchObject({ state: 'suspended' });
    expect(await world.peers.identify(made.certificateId, world.clock.now())).toMatchObject({
      kind: 'refused',
      code: 'identity.device_suspended',
    });
    await world.registry.readmit(ADMIN, deviceId);
    expect(await world.peers.identify(made.certificateId, world.clock.now())).toMatchObject({ kind: 'device' });
  });

  it.each<[string, Record<string, string>, { attributes: object; groups: string[] } | string]>([
    ['leaves', {}, { attributes: { owner: 'ann' }, groups: ['old'] }],
    [
      'replaces',
      { AttributePayload: 'REPLACE', ThingGroups: 'REPLACE' },
      { attributes: { place: 'hall' }, groups: ['hall', 'lamps'] },
    ],
    [
      'merges',
      { AttributePayload: 'MERGE', ThingGroups: 'MERGE' },
      { attributes: { owner: 'ann', place: 'hall' }, groups: ['hall', 'lamps', 'old'] },
    ],
    ['fails for', { AttributePayload: 'FAIL' }, 'identity.template_conflict'],
    ['fails for groups of', { ThingGroups: 'FAIL' }, 'identity.template_conflict'],
  ])('%s what a device of the factory step has, as its OverrideSettings say', async (_verb, overrides, outcome) => {
    await create({ body: body({ overrides }) });
    await world.registry.establish(ADMIN, {
      deviceId: 'lamp-S1',
      serialNumber: 'S1',
      product: 'lamp',
      hardwareRevision: 'rev-a',
      groups: ['old'],
      attributes: { owner: 'ann' },
    });
    if (typeof outcome === 'string') {
      expect(await codeOf(register())).toBe(outcome);
      return;
    }
    const { deviceId } = await register();
    const device = await world.repositories.devices.find('default', deviceId);
    expect(device?.attributes).toEqual(outcome.attributes);
    expect(await world.repositories.devices.groupsOf('default', deviceId)).toEqual(outcome.groups);
  });

  it.each<[string, string, string, () => Promise<unknown>]>([
    [
      'a parameter without default that is missing',
      'identity.template_parameters',
      'template-parameters',
      () => register({ parameters: { Place: 'hall' } }),
    ],
    [
      'a place the mapping has not',
      'identity.template_parameters',
      'template-parameters',
      () => register({ parameters: { SerialNumber: 'S1', Place: 'cellar' } }),
    ],
    [
      'a certificate id of its own choice',
      'identity.bad_device_name',
      'template-name',
      () => register({ parameters: { SerialNumber: '#', 'AWS::IoT::Certificate::Id': 'x' } }),
    ],
    [
      'a serial number outside the list of the claim',
      'identity.serial_not_listed',
      'listed-serial',
      () => register({ claim: { serials: ['S2'] } }),
    ],
    [
      'the template of another product',
      'identity.wrong_template',
      'template-of-the-claim',
      () => register({ template: 'lock' }),
    ],
    [
      'a template that is gone',
      'identity.unknown_template',
      'template-known',
      async () => {
        const claim = await world.addClaim({ template: 'halls' });
        await world.templates.remove(ADMIN, 'halls');
        const made = await world.enrollment.createCertificate(claim, { csrDer: await makeCsr() }, connection());
        const wish = { template: 'halls', ownershipToken: made.ownershipToken, parameters: { SerialNumber: 'S1' } };
        return world.enrollment.registerThing(claim, wish, connection());
      },
    ],
    [
      'a name that another serial number has',
      'identity.device_exists',
      'name-is-free',
      async () => {
        const wish = { deviceId: 'lamp-S1', serialNumber: 'S9', product: 'lamp', hardwareRevision: 'rev-a' };
        await world.registry.establish(ADMIN, wish);
        return register();
      },
    ],
    [
      'a serial number that another name has',
      'identity.device_exists',
      'name-is-free',
      async () => {
        await world.registry.establish(ADMIN, { deviceId: 'S1', product: 'lamp', hardwareRevision: 'rev-a' });
        return register();
      },
    ],
  ])('is refused with %s', async (_what, code, rule, attempt) => {
    await create();
    expect(await codeOf(attempt())).toBe(code);
    expect(await lastRule()).toMatchObject({ code, rule });
  });

  it('is refused when the template names a policy that was removed', async () => {
    const named = { policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: { 'Fn::Sub': 'p-${Place}' } } } };
    await create({ body: body({ more: named }) });
    expect(await codeOf(register())).toBe('identity.template_policy');
  });

  it('goes by the version in force', async () => {
    await create();
    await world.templates.update(ADMIN, 'halls', { body: body({ thing: { ThingName: { Ref: 'SerialNumber' } } }) });
    expect((await register()).deviceId).toBe('S1');
    const versions = await world.templates.versions('default', 'halls');
    expect(versions.map(({ version }) => version)).toEqual([2, 1]);
  });
});

describe('the rule of a template', () => {
  it.each<[string, object, Record<string, string>, string]>([
    ['a listed serial number', { serials: ['S1'] }, { SerialNumber: 'S1' }, 'registered'],
    ['one that is not listed', { serials: ['S2'] }, { SerialNumber: 'S1' }, 'identity.hook_denied'],
    [
      'a parameter that matches',
      { parameters: { Place: 'hall|roof' } },
      { SerialNumber: 'S1', Place: 'roof' },
      'registered',
    ],
    ['one that matches in part', { parameters: { SerialNumber: 'S' } }, { SerialNumber: 'S1' }, 'identity.hook_denied'],
    ['one that was not sent', { parameters: { Place: '.*' } }, { SerialNumber: 'S1' }, 'identity.hook_denied'],
  ])('answers %s', async (_what, rule, parameters, outcome) => {
    await create({ rule });
    expect(await codeOf(register({ parameters }))).toBe(outcome);
  });

  it('bounds how many register, whatever claims there are', async () => {
    await create({ rule: { maxDevices: 2 } });
    await register({ parameters: { SerialNumber: 'S1' } });
    await register({ parameters: { SerialNumber: 'S2' } });
    expect(await codeOf(register({ parameters: { SerialNumber: 'S3' } }))).toBe('identity.template_used_up');
    await world.templates.update(ADMIN, 'halls', { rule: { maxDevices: 3 } });
    expect((await register({ parameters: { SerialNumber: 'S3' } })).deviceId).toBe('lamp-S3');
  });

  it.each([['(a+)+'], ['(a|a)*'], ['a*b*c*'], ['a{1,}b{1,}c{1,}'], ['(?=a)a'], ['(a)\\1'], ['['], ['x'.repeat(300)]])(
    'does not take the pattern %s, which could take for ever or is none',
    async (pattern) => {
      await expect(create({ rule: { parameters: { Place: pattern } } })).rejects.toThrowError(coded('request.invalid'));
    },
  );
});

describe('the hook of a template', () => {
  const webhook = { url: 'https://hooks.example/allow' };

  it('is asked with what AWS asks, and its overrides count', async () => {
    answer = () => ({ kind: 'allowed', overrides: { Place: 'roof' } });
    await create({ webhook });
    const { deviceConfiguration, made, principal } = await register();
    expect(deviceConfiguration).toEqual({ url: 'https://roof.example' });
    expect(asked).toEqual([
      {
        claimCertificateId: principal.fingerprint,
        certificateId: made.certificateId,
        certificatePem: expect.stringContaining('BEGIN CERTIFICATE') as string,
        templateArn: expect.stringMatching(/provisioningtemplate\/halls$/) as string,
        clientId: 'line-1',
        parameters: { SerialNumber: 'S1' },
      },
    ]);
    expect((await world.audit()).map(({ action }) => action)).toContain('hook.allowed');
  });

  it.each<[string, HookAnswer, string, string]>([
    ['says no', { kind: 'denied' }, 'identity.hook_denied', 'hook.denied'],
    ['does not answer', { kind: 'failed', reason: 'timeout' }, 'identity.hook_failed', 'hook.failed'],
    [
      'answers with texts without end',
      { kind: 'allowed', overrides: { Place: 'x'.repeat(5000) } },
      'identity.hook_failed',
      'hook.failed',
    ],
  ])('that %s keeps the device out, and the log tells', async (_what, given, code, action) => {
    answer = () => given;
    await create({ webhook });
    expect(await codeOf(register())).toBe(code);
    expect((await world.audit()).map((entry) => entry.action).slice(-2)).toEqual([action, 'enrollment.refused']);
    expect(await world.repositories.devices.find('default', 'lamp-S1')).toBeUndefined();
  });

  it('may not override what the rule and the claim forbid', async () => {
    answer = () => ({ kind: 'allowed', overrides: { SerialNumber: 'S2' } });
    await create({ webhook, rule: { serials: ['S1', 'S2'] } });
    expect(await codeOf(register({ claim: { serials: ['S1'] } }))).toBe('identity.serial_not_listed');
    await world.templates.update(ADMIN, 'halls', { rule: { serials: ['S1'] } });
    expect(await codeOf(register())).toBe('identity.hook_denied');
  });

  it('is not asked for what the rule refuses', async () => {
    await create({ webhook, rule: { serials: ['S2'] } });
    await codeOf(register());
    expect(asked).toEqual([]);
  });

  it('holds at the door of EST too', async () => {
    answer = () => ({ kind: 'denied' });
    await create({ webhook });
    const claim = await world.addClaim({ template: 'halls', serials: ['S7'] });
    const attempt = world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    expect(await codeOf(attempt)).toBe('identity.hook_denied');
  });
});

describe('keeping templates', () => {
  it.each<[string, () => Promise<unknown>, string]>([
    ['the name of a product', () => create({ name: 'lock' }), 'identity.template_exists'],
    ['the name default', () => create({ name: 'default' }), 'request.invalid'],
    ['a name a topic could not hold', () => create({ name: 'a/b' }), 'request.invalid'],
    ['a product nobody made', () => create({ product: 'bulb' }), 'identity.unknown_product'],
    ['a document that is none', () => create({ body: '{}' }), 'wire.malformed'],
    [
      'a policy nobody put',
      () => create({ body: body({ more: { policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'x' } } } }) }),
      'identity.template_policy',
    ],
    [
      'a policy document that cannot be enforced',
      () =>
        create({
          body: body({ more: { policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: '{}' } } } }),
        }),
      'communication.policy_invalid',
    ],
    ['a hook without TLS', () => create({ webhook: { url: 'http://hooks.example' } }), 'request.invalid'],
    ['a hook with a password', () => create({ webhook: { url: 'https://a:b@hooks.example' } }), 'request.invalid'],
    ['a change of what is not there', () => world.templates.update(ADMIN, 'none', {}), 'identity.unknown_template'],
  ])('refuses %s', async (_what, attempt, code) => {
    expect(await codeOf(attempt())).toBe(code);
  });

  it('refuses a second one of the name, and a claim of another product', async () => {
    await create();
    expect(await codeOf(create())).toBe('identity.template_exists');
    expect(await codeOf(world.addClaim({ template: 'halls', product: 'lock' }))).toBe('identity.wrong_product');
    expect(await codeOf(world.addClaim({ template: 'none' }))).toBe('identity.unknown_template');
  });
});
