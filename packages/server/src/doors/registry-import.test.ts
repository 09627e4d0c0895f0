import { generatePrivateKey } from '@holdfast/crypto';
import { IMPORT_RULES, type ImportRow, RegistryImport } from '@holdfast/trust/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

describe('an import into the registry', () => {
  let world: IdentityWorld;
  let imports: RegistryImport;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    await world.addProduct('lock');
    imports = new RegistryImport({ ...world.repositories, registry: world.registry, revocation: world.revocation });
  });
  afterEach(() => world.opened.close());

  const row = (change: Partial<ImportRow> = {}): ImportRow => ({ deviceId: 'lamp-1', product: 'lamp', ...change });
  const bring = (change?: Partial<ImportRow>) => imports.apply(ADMIN, row(change));
  const enroll = async (serial = 'lamp-1') => {
    const claim = await world.addClaim({ serials: [serial] });
    await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    const [certificate] = await world.repositories.certificates.ofDevice('default', serial);
    return certificate?.fingerprint ?? '';
  };
  const stateOf = async () => (await world.registry.show('default', 'lamp-1')).state;

  it('establishes what is new, with groups and attributes, and does nothing the second time', async () => {
    const change = { groups: ['pilot'], attributes: { mac: '02:00:00:00:00:01' }, state: 'active' } as const;
    expect(await imports.check(ADMIN, row(change))).toMatchObject({ kind: 'created' });
    expect(await world.repositories.devices.find('default', 'lamp-1')).toBeUndefined();
    expect(await bring(change)).toEqual({ kind: 'created', deviceId: 'lamp-1' });
    expect(await world.registry.show('default', 'lamp-1')).toMatchObject({
      state: 'established',
      serialNumber: 'lamp-1',
      hardwareRevision: 'rev-a',
      attributes: change.attributes,
    });
    expect(await world.registry.groups('default', 'lamp-1')).toEqual(['pilot']);
    const entries = (await world.audit()).length;
    expect(await bring(change)).toMatchObject({ kind: 'unchanged' });
    expect(await world.audit()).toHaveLength(entries);
  });

  it('changes groups and attributes that a row names, and leaves those it does not', async () => {
    await bring({ groups: ['a', 'b'], attributes: { x: '1' } });
    expect(await bring()).toMatchObject({ kind: 'unchanged' });
    expect(await bring({ groups: ['b', 'c'] })).toMatchObject({ kind: 'changed' });
    expect(await world.registry.groups('default', 'lamp-1')).toEqual(['b', 'c']);
    expect(await bring({ attributes: {} })).toMatchObject({ kind: 'changed' });
    expect((await world.registry.show('default', 'lamp-1')).attributes).toEqual({});
  });

  it.each([
    ['suspended', 'suspended'],
    ['quarantined', 'quarantined'],
    ['revoked', 'revoked'],
    ['archived', 'archived'],
  ] as const)('takes a device in use to %s, and a new one too', async (state, expected) => {
    await enroll();
    expect(await bring({ state })).toMatchObject({ kind: 'changed' });
    expect(await stateOf()).toBe(expected);
    expect(await bring({ state })).toMatchObject({ kind: 'unchanged' });
    expect(await bring({ deviceId: 'lamp-2', state })).toMatchObject({ kind: 'created' });
    expect((await world.registry.show('default', 'lamp-2')).state).toBe(expected);
  });

  it('revokes the certificates of a device that a row has revoked', async () => {
    const fingerprint = await enroll();
    await bring({ state: 'revoked' });
    expect((await world.repositories.certificates.find(fingerprint))?.state).toBe('revoked');
  });

  it('finishes a row that was interrupted after its first write', async () => {
    await bring({ groups: ['pilot'] });
    expect(await bring({ groups: ['pilot'], attributes: { x: '1' }, state: 'suspended' })).toMatchObject({
      kind: 'changed',
    });
    expect(await stateOf()).toBe('suspended');
  });

  const anchor = async () => (await generatePrivateKey('P-256')).publicKey.spki;
  const UEID = '01'.repeat(17);
  const ROWS: readonly [rule: string, code: string, prepare: () => Promise<Partial<ImportRow>>][] = [
    ['known-product', 'identity.unknown_product', async () => ({ product: 'kettle' })],
    ['hardware-of-the-product', 'identity.wrong_hardware', async () => ({ hardwareRevision: 'rev-z' })],
    [
      'serial-is-free',
      'identity.device_exists',
      async () => {
        await bring({ deviceId: 'lamp-0', serialNumber: 'S1' });
        return { serialNumber: 'S1' };
      },
    ],
    [
      'same-serial',
      'identity.import_contradicts',
      async () => {
        await bring();
        return { serialNumber: 'S2' };
      },
    ],
    [
      'same-product',
      'identity.import_contradicts',
      async () => {
        await bring();
        return { product: 'lock' };
      },
    ],
    [
      'same-hardware',
      'identity.import_contradicts',
      async () => {
        await world.products.create(ADMIN, {
          name: 'bulb',
          hardwareRevisions: ['rev-a', 'rev-b'],
          evidence: 'required',
          deviceConfiguration: {},
        });
        await bring({ product: 'bulb' });
        return { product: 'bulb', hardwareRevision: 'rev-b' };
      },
    ],
    [
      'same-ueid',
      'identity.import_contradicts',
      async () => {
        await bring();
        return { ueid: UEID };
      },
    ],
    [
      'same-anchor',
      'identity.import_contradicts',
      async () => {
        await bring({ ueid: UEID, attestationAnchor: await anchor() });
        return { ueid: UEID, attestationAnchor: await anchor() };
      },
    ],
    [
      'anchor-has-one-owner',
      'identity.key_reuse',
      async () => {
        const attestationAnchor = await anchor();
        await bring({ deviceId: 'lamp-0', ueid: UEID, attestationAnchor });
        return { ueid: '02'.repeat(17), attestationAnchor };
      },
    ],
    ['own-certificates', 'identity.import_contradicts', async () => ({ certificates: [await enroll('lamp-0')] })],
    [
      'factory-brings-new-devices',
      'request.forbidden',
      async () => {
        await enroll();
        return { groups: ['another'] };
      },
    ],
    [
      'never-loosened',
      'identity.import_loosens',
      async () => {
        await enroll();
        await bring({ state: 'revoked' });
        return { state: 'active' };
      },
    ],
  ];

  it.each(ROWS)('refuses a row against the rule %s', async (rule, code, prepare) => {
    const change = await prepare();
    const before = await world.repositories.devices.find('default', 'lamp-1');
    const from = rule.startsWith('factory') ? 'factory' : 'operator';
    for (const outcome of [
      await imports.check(ADMIN, row(change), from),
      await imports.apply(ADMIN, row(change), from),
    ]) {
      expect(outcome).toMatchObject({ kind: 'refused', error: { code, details: { rule } } });
    }
    expect(await world.repositories.devices.find('default', 'lamp-1')).toEqual(before);
  });

  it('lets a station finish the devices it began, and take nothing from them', async () => {
    const from = 'factory';
    expect(await imports.apply(ADMIN, row({ groups: ['a'] }), from)).toMatchObject({ kind: 'created' });
    expect(await imports.apply(ADMIN, row({ groups: ['b'] }), from)).toMatchObject({ kind: 'changed' });
    const state = await imports.apply(ADMIN, row({ state: 'suspended' }), from);
    expect(state).toMatchObject({ kind: 'refused', error: { code: 'request.forbidden' } });
    await enroll();
    expect(await imports.apply(ADMIN, row({ groups: ['b'] }), from)).toMatchObject({ kind: 'unchanged' });
  });

  it('lets a station take nothing from a device that was taken back and waits to enroll again', async () => {
    await enroll();
    await bring({ state: 'revoked' });
    await world.registry.readmit(ADMIN, 'lamp-1');
    expect(await world.registry.show('default', 'lamp-1')).toMatchObject({ state: 'established' });
    const moved = await imports.apply(ADMIN, row({ groups: ['another'] }), 'factory');
    expect(moved).toMatchObject({ kind: 'refused', error: { details: { rule: 'factory-brings-new-devices' } } });
  });

  it('has a row for every rule', () => {
    expect(ROWS.map(([rule]) => rule).sort()).toEqual(IMPORT_RULES.map(({ rule }) => rule).sort());
  });

  it.each<[string, Partial<ImportRow>, string]>([
    ['a name with a slash', { deviceId: 'a/b' }, 'identity.bad_device_name'],
    ['a group with a space', { groups: ['a b'] }, 'identity.bad_device_name'],
    ['an attribute without a name', { attributes: { '': 'x' } }, 'request.invalid'],
    ['an anchor without a UEID', { attestationAnchor: Uint8Array.of(1) }, 'request.invalid'],
  ])('refuses %s before anything is written', async (_name, change, code) => {
    expect(await imports.check(ADMIN, row(change))).toMatchObject({ kind: 'refused', error: { code } });
    expect(await bring(change)).toMatchObject({ kind: 'refused', error: { code } });
    expect((await world.registry.list('default', {}, { limit: 1 })).rows).toEqual([]);
  });

  it('refuses the UEID of another device when it is brought in', async () => {
    await bring({ deviceId: 'lamp-0', ueid: UEID });
    expect(await bring({ ueid: UEID })).toMatchObject({ kind: 'refused', error: { code: 'store.conflict' } });
  });
});
