import { fingerprint, generatePrivateKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { JIT_RULES } from '@holdfast/trust/identity';
import { encodePem } from '@holdfast/wire/pem';
import type { NamePart } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';
import { MakerAuthority, type MadeCertificate } from '../testing/maker-authority.ts';

const WHERE = connection('c1', 'aws-jit');
const JITP = {
  Parameters: {
    'AWS::IoT::Certificate::CommonName': { Type: 'String' },
    'AWS::IoT::Certificate::Id': { Type: 'String' },
  },
  Resources: {
    thing: {
      Type: 'AWS::IoT::Thing',
      Properties: {
        ThingName: { Ref: 'AWS::IoT::Certificate::CommonName' },
        ThingGroups: ['made-elsewhere'],
        AttributePayload: { certificate: { Ref: 'AWS::IoT::Certificate::Id' } },
      },
    },
    certificate: {
      Type: 'AWS::IoT::Certificate',
      Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
    },
  },
};

let world: IdentityWorld;
let maker: MakerAuthority;

beforeEach(async () => {
  world = await openIdentityWorld();
  await world.addProduct('lamp');
  await world.addProduct('lock');
  await world.templates.create(ADMIN, { name: 'makers', kind: 'jitp', product: 'lamp', body: JSON.stringify(JITP) });
  maker = await MakerAuthority.open(world.clock.now());
});
afterEach(() => world.opened.close());

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'done',
    (error: unknown) => (HoldfastError.is(error) ? error.code : String(error)),
  );

const register = async (wish: { readonly template?: string; readonly product?: string } = { template: 'makers' }) =>
  world.manufacturers.register(ADMIN, {
    certificateDer: maker.der,
    verificationDer: await maker.verify(world.manufacturers.registrationCode('default')),
    ...wish,
  });

const meet = ({ der }: MadeCertificate, chainDer: readonly Uint8Array[] = []) =>
  world.jit.meet({ leafDer: der, chainDer }, WHERE);

const identify = ({ der }: MadeCertificate) => world.peers.identify(fingerprint(der), world.clock.now());
const named = (value: string): readonly NamePart[] => [{ type: 'commonName', value }];

describe('registering an authority', () => {
  it('keeps it with its product and hardware revision', async () => {
    const { manufacturer } = await register();
    expect(manufacturer).toMatchObject({
      state: 'active',
      registration: 'jitp',
      product: 'lamp',
      hardwareRevision: 'rev-a',
    });
    expect((await world.manufacturers.list('default', { limit: 10 })).rows).toEqual([manufacturer]);
    expect(await world.repositories.manufacturers.trusted()).toEqual([maker.der]);
    expect((await world.audit()).at(-1)?.action).toBe('manufacturer.registered');
  });

  it('takes the code of the tenant for ever, and no other', () => {
    const { manufacturers } = world;
    expect(manufacturers.registrationCode('default')).toMatch(/^[0-9a-f]{64}$/);
    expect(manufacturers.registrationCode('default')).toBe(manufacturers.registrationCode('default'));
    expect(manufacturers.registrationCode('other')).not.toBe(manufacturers.registrationCode('default'));
  });

  it.each<[string, string, () => Promise<unknown>]>([
    [
      'a verification for another code',
      'identity.bad_verification',
      async () => {
        const verificationDer = await maker.verify(world.manufacturers.registrationCode('other'));
        const wish = { certificateDer: maker.der, verificationDer, template: 'makers' };
        return world.manufacturers.register(ADMIN, wish);
      },
    ],
    [
      'a verification by another authority of the same name',
      'identity.bad_verification',
      async () => {
        const thief = await MakerAuthority.open(world.clock.now());
        const verificationDer = await thief.verify(world.manufacturers.registrationCode('default'));
        return world.manufacturers.register(ADMIN, { certificateDer: maker.der, verificationDer, template: 'makers' });
      },
    ],
    [
      'its own certificate as the verification',
      'identity.bad_verification',
      () =>
        world.manufacturers.register(ADMIN, {
          certificateDer: maker.der,
          verificationDer: maker.der,
          template: 'makers',
        }),
    ],
    [
      'a leaf',
      'identity.bad_manufacturer',
      async () => {
        const { der } = await maker.issue();
        return world.manufacturers.register(ADMIN, { certificateDer: der, verificationDer: der, product: 'lamp' });
      },
    ],
    [
      'bytes that are no certificate',
      'identity.bad_manufacturer',
      () => {
        const der = Uint8Array.of(0x30, 0);
        return world.manufacturers.register(ADMIN, { certificateDer: der, verificationDer: der, product: 'lamp' });
      },
    ],
    [
      'an expired certificate',
      'identity.bad_manufacturer',
      async () => {
        world.clock.advance(4000 * 86_400_000);
        return register();
      },
    ],
    [
      'our own issuing authority',
      'identity.bad_verification',
      () =>
        world.manufacturers.register(ADMIN, {
          certificateDer: world.authority.issuing.der,
          verificationDer: world.authority.issuing.der,
          product: 'lamp',
        }),
    ],
    ['itself twice', 'identity.manufacturer_exists', async () => [await register(), await register()]],
    ['a template for claims', 'identity.unknown_template', () => register({ template: 'none' })],
    ['a product nobody made', 'identity.unknown_product', () => register({ product: 'bulb' })],
    [
      'a template of another product',
      'identity.wrong_product',
      () => register({ template: 'makers', product: 'lock' }),
    ],
  ])('refuses %s', async (_what, code, attempt) => {
    expect(await codeOf(attempt())).toBe(code);
  });

  it('refuses an authority that has the key of a device', async () => {
    const key = await generatePrivateKey('P-256');
    const claim = await world.addClaim({ serials: ['field-1'] });
    await world.enrollment.enrollDirect(claim, await makeCsr({ key }), connection('c', 'est'));
    maker = await MakerAuthority.open(world.clock.now(), 'Thief', { key });
    expect(await codeOf(register())).toBe('identity.key_reuse');
  });
});

describe('a device of a registered authority', () => {
  it('is registered by the template when it first connects (JITP)', async () => {
    await register();
    const unit = await maker.issue({ subject: named('unit-7') });
    await meet(unit);
    expect(await identify(unit)).toMatchObject({ kind: 'device', principal: { deviceId: 'unit-7' } });
    expect(await world.repositories.devices.find('default', 'unit-7')).toMatchObject({
      product: 'lamp',
      state: 'active',
      attributes: { certificate: fingerprint(unit.der) },
      claimId: undefined,
    });
    expect(await world.repositories.devices.groupsOf('default', 'unit-7')).toEqual(['made-elsewhere']);
    const [enrolled] = (await world.audit()).filter(({ action }) => action === 'device.enrolled');
    expect(JSON.parse(enrolled?.details ?? '{}')).toMatchObject({ door: 'aws-jit', template: 'makers' });
  });

  it('is registered once, however often it connects', async () => {
    await register();
    const unit = await maker.issue();
    await meet(unit);
    await Promise.all([meet(unit), meet(unit)]);
    expect((await world.templates.show('default', 'makers')).used).toBe(1);
  });

  it('comes through authorities in between that it sends', async () => {
    await register();
    const line = await MakerAuthority.open(world.clock.now(), 'Line 3', { issuer: maker });
    const unit = await line.issue({ subject: named('unit-8') });
    expect(await codeOf(meet(unit))).toBe('identity.untrusted_chain');
    await meet(unit, [line.der]);
    expect(await identify(unit)).toMatchObject({ kind: 'device' });
  });

  it('waits for an operator when its authority has no template (JITR)', async () => {
    const { manufacturer } = await register({ product: 'lamp' });
    const unit = await maker.issue();
    await meet(unit);
    expect(await identify(unit)).toMatchObject({ kind: 'refused', code: 'identity.certificate_pending' });
    const { pending } = await world.manufacturers.show('default', manufacturer.fingerprint);
    expect(pending.map((each) => each.fingerprint)).toEqual([fingerprint(unit.der)]);
    const activation = await world.jit.activate(ADMIN, fingerprint(unit.der), { deviceId: 'porch' });
    expect(activation.deviceId).toBe('porch');
    expect(await identify(unit)).toMatchObject({ kind: 'device', principal: { deviceId: 'porch' } });
    expect(await codeOf(world.jit.activate(ADMIN, fingerprint(unit.der), { deviceId: 'porch' }))).toBe(
      'identity.not_pending',
    );
  });

  it('waits for an operator in spite of its template when the product says so, and is named by it then', async () => {
    await register();
    await world.products.setEnrollment(ADMIN, 'lamp', { approval: 'operator' });
    const unit = await maker.issue({ subject: named('unit-10') });
    await meet(unit);
    expect(await identify(unit)).toMatchObject({ kind: 'refused', code: 'identity.certificate_pending' });
    expect(await world.repositories.devices.find('default', 'unit-10')).toBeUndefined();
    await world.jit.activate(ADMIN, fingerprint(unit.der), { template: 'makers' });
    expect(await identify(unit)).toMatchObject({ kind: 'device', principal: { deviceId: 'unit-10' } });
  });

  it('may be activated by a template, which names it after its certificate', async () => {
    await register({ product: 'lamp' });
    const unit = await maker.issue({ subject: named('unit-9') });
    await meet(unit);
    const { deviceId } = await world.jit.activate(ADMIN, fingerprint(unit.der), { template: 'makers' });
    expect(deviceId).toBe('unit-9');
  });

  it('renews with a certificate of ours, which ends the one of its maker', async () => {
    await register();
    const unit = await maker.issue({ subject: named('unit-7') });
    await meet(unit);
    const verdict = await identify(unit);
    if (verdict.kind !== 'device') throw new TypeError('not a device');
    const renewed = await world.enrollment.renew(verdict.principal, await makeCsr(), connection('c2', 'est'));
    await world.peers.identify(fingerprint(renewed), world.clock.now());
    expect(await identify(unit)).toMatchObject({ kind: 'refused', code: 'identity.certificate_superseded' });
  });

  it('goes with its authority: no new ones when that is inactive, nobody when it is revoked', async () => {
    const { manufacturer } = await register();
    const [first, second, third] = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => maker.issue({ subject: named(name) })),
    );
    if (!first || !second || !third) throw new TypeError('three units');
    await meet(first);
    await world.manufacturers.change(ADMIN, manufacturer.fingerprint, 'inactive');
    expect(await codeOf(meet(second))).toBe('identity.manufacturer_inactive');
    expect(await identify(first)).toMatchObject({ kind: 'device' });
    await world.manufacturers.change(ADMIN, manufacturer.fingerprint, 'active');
    await meet(second);
    const target = { kind: 'issuer', issuer: manufacturer.fingerprint } as const;
    expect(await world.massRevocation.preview(ADMIN, target)).toMatchObject({ devices: 2, certificates: 2 });
    await world.massRevocation.run(ADMIN, target, { reason: 'cACompromise', expected: 2 });
    expect(await identify(first)).toMatchObject({ kind: 'refused', code: 'identity.certificate_revoked' });
    expect(await world.repositories.devices.find('default', 'b')).toMatchObject({ state: 'revoked' });
    expect(await world.repositories.manufacturers.trusted()).toEqual([]);
    await meet(third);
    expect(await identify(third)).toMatchObject({ code: 'identity.unknown_certificate' });
    const change = world.manufacturers.change(ADMIN, manufacturer.fingerprint, 'active');
    expect(await codeOf(change)).toBe('identity.manufacturer_inactive');
  });

  it.each<[string, string, () => Promise<unknown>]>([
    [
      'a name that its template makes a topic of',
      'identity.bad_device_name',
      async () => meet(await maker.issue({ subject: named('unit/#') })),
    ],
    [
      'a declared attribute that its subject lacks',
      'identity.template_parameters',
      async () => meet(await maker.issue({ subject: [{ type: 'serialNumber', value: '7' }] })),
    ],
    [
      'an attribute that its subject has twice',
      'identity.template_parameters',
      async () => meet(await maker.issue({ subject: [...named('unit-1'), ...named('unit-2')] })),
    ],
    [
      'the wish to be an authority',
      'identity.ca_requested',
      async () =>
        meet({ der: (await MakerAuthority.open(world.clock.now(), 'Sub', { issuer: maker })).der, key: maker.key }),
    ],
    [
      'an expired certificate',
      'identity.untrusted_chain',
      async () => meet(await maker.issue({ notAfter: world.clock.now() - 1000 })),
    ],
    [
      'a certificate of another authority of the same name',
      'identity.untrusted_chain',
      async () => {
        const root = await MakerAuthority.open(world.clock.now());
        return meet(await root.issue());
      },
    ],
    [
      'the key of a device in the field',
      'identity.key_reuse',
      async () => {
        const key = await generatePrivateKey('P-256');
        const claim = await world.addClaim({ serials: ['field-1'] });
        await world.enrollment.enrollDirect(claim, await makeCsr({ key }), connection('c', 'est'));
        return meet(await maker.issue({ key }));
      },
    ],
    [
      'a second certificate for its key',
      'identity.key_reuse',
      async () => {
        const first = await maker.issue();
        await meet(first);
        return meet(await maker.issue({ key: first.key, subject: named('unit-2') }));
      },
    ],
    [
      'the name of a device that has a certificate',
      'identity.device_has_certificate',
      async () => {
        await meet(await maker.issue());
        return meet(await maker.issue());
      },
    ],
    ...(['suspended', 'revoked', 'archived'] as const).map((state): [string, string, () => Promise<unknown>] => [
      `the name of a ${state} device`,
      `identity.device_${state}`,
      async () => {
        await meet(await maker.issue());
        if (state === 'suspended') await world.registry.suspend(ADMIN, 'unit-1');
        else await world.revocation.device(ADMIN, 'unit-1', 'keyCompromise');
        if (state === 'archived') await world.registry.archive(ADMIN, 'unit-1');
        return meet(await maker.issue());
      },
    ]),
    [
      'the name of a device of another product',
      'identity.wrong_product',
      async () => {
        await world.registry.establish(ADMIN, { deviceId: 'unit-1', product: 'lock', hardwareRevision: 'rev-a' });
        return meet(await maker.issue());
      },
    ],
  ])('is refused with %s', async (_what, code, attempt) => {
    await register();
    const before = (await world.audit()).length;
    expect(await codeOf(attempt())).toBe(code);
    const entries = (await world.audit()).slice(before);
    if (code !== 'identity.untrusted_chain')
      expect(JSON.parse(entries.at(-1)?.details ?? '{}')).toMatchObject({ code });
  });

  it('is asked for nothing when no authority is registered', async () => {
    await meet(await maker.issue());
    expect((await world.audit()).map(({ action }) => action)).not.toContain('certificate.registered');
  });

  it('cannot take a serial number of ours: those of others stand apart', async () => {
    await register();
    const unit = await maker.issue();
    await meet(unit);
    const record = await world.repositories.certificates.find(fingerprint(unit.der));
    const serial = record?.serialNumber.split(':')[1] ?? '';
    expect(record?.serialNumber).toMatch(/^[0-9a-f]{64}:[0-9a-f]+$/);
    expect(await world.repositories.certificates.findBySerial(serial)).toBeUndefined();
  });

  it('has a test for each of its rules', () => {
    expect(JIT_RULES.map(({ rule }) => rule)).toEqual(['authority-active', 'no-authority', 'key-has-one-owner']);
  });
});

describe('bulk registration', () => {
  const BULK = {
    Parameters: { Name: { Type: 'String' }, CSR: { Type: 'String' } },
    Resources: {
      thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'Name' } } },
      certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateSigningRequest: { Ref: 'CSR' } } },
    },
  };
  const pemOf = (csr: Uint8Array) => encodePem('CERTIFICATE REQUEST', csr);
  const run = (parameters: Readonly<Record<string, string>>, template = 'bulk') =>
    world.bulk.register(ADMIN, template, parameters);

  beforeEach(async () => {
    await world.templates.create(ADMIN, { name: 'bulk', kind: 'jitp', product: 'lamp', body: JSON.stringify(BULK) });
  });

  it('registers a device and certifies its key, once for the same line', async () => {
    const CSR = pemOf(await makeCsr());
    const first = await run({ Name: 'unit-1', CSR });
    expect(first).toMatchObject({
      kind: 'registered',
      deviceId: 'unit-1',
      certificate: { door: 'bulk', state: 'active' },
    });
    const again = await run({ Name: 'unit-1', CSR });
    expect(again).toEqual({ ...first, kind: 'already', certificate: again.certificate });
    expect(again.certificate.fingerprint).toBe(first.certificate.fingerprint);
    expect((await world.templates.show('default', 'bulk')).used).toBe(1);
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ['no request', 'identity.template_parameters', () => run({ Name: 'unit-1' })],
    ['a request that is none', 'identity.bad_csr', () => run({ Name: 'unit-1', CSR: 'x' })],
    ['two requests', 'identity.bad_csr', async () => run({ Name: 'a', CSR: pemOf(await makeCsr()).repeat(2) })],
    ['a missing name', 'identity.template_parameters', async () => run({ CSR: pemOf(await makeCsr()) })],
    ['a template for claims', 'identity.unknown_template', async () => run({}, 'none')],
    ['a template without a request', 'identity.unknown_template', async () => run({}, 'makers')],
    [
      'the same key under another name',
      'identity.key_reuse',
      async () => {
        const CSR = pemOf(await makeCsr());
        await run({ Name: 'unit-1', CSR });
        return run({ Name: 'unit-2', CSR });
      },
    ],
    [
      'another key for the same name',
      'identity.device_has_certificate',
      async () => {
        await run({ Name: 'unit-1', CSR: pemOf(await makeCsr()) });
        return run({ Name: 'unit-1', CSR: pemOf(await makeCsr()) });
      },
    ],
  ])('refuses %s', async (_what, code, attempt) => {
    expect(await codeOf(attempt())).toBe(code);
  });
});
