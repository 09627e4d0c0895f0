import { fingerprint, generatePrivateKey } from '@holdfast/crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('the registry', () => {
  let world: IdentityWorld;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
  });
  afterEach(() => world.opened.close());

  const establish = (change: Readonly<Record<string, unknown>> = {}) =>
    world.registry.establish(ADMIN, { deviceId: 'lamp-1', product: 'lamp', hardwareRevision: 'rev-a', ...change });

  it('establishes a device with what the factory step knows', async () => {
    const anchor = (await generatePrivateKey('P-256')).publicKey.spki;
    await establish({ ueid: '01'.repeat(17), attestationAnchor: anchor, groups: ['pilot'], attributes: { line: '3' } });
    expect(await world.registry.show('default', 'lamp-1')).toMatchObject({
      state: 'established',
      serialNumber: 'lamp-1',
      ueid: '01'.repeat(17),
      attestationAnchor: anchor,
      attributes: { line: '3' },
      enrolledAt: undefined,
    });
    expect(await world.registry.groups('default', 'lamp-1')).toEqual(['pilot']);
    expect((await world.audit()).at(-1)).toMatchObject({ action: 'device.established', subject: 'lamp-1' });
  });

  it.each([
    ['a name with a slash', { deviceId: 'a/b' }, 'identity.bad_device_name'],
    ['a wildcard', { deviceId: '+' }, 'identity.bad_device_name'],
    ['a serial number with a line break', { serialNumber: 'a\nb' }, 'identity.bad_device_name'],
    ['an unknown product', { product: 'lock' }, 'identity.unknown_product'],
    ['hardware the product does not have', { hardwareRevision: 'rev-z' }, 'identity.wrong_hardware'],
    ['a short UEID', { ueid: '0102' }, 'request.invalid'],
    ['an anchor without a UEID', { attestationAnchor: Uint8Array.of(1) }, 'request.invalid'],
    ['an anchor that is no key', { ueid: '01'.repeat(17), attestationAnchor: Uint8Array.of(1) }, 'request.invalid'],
    ['a group with a space', { groups: ['a b'] }, 'identity.bad_device_name'],
    ['65 groups', { groups: Array(65).fill('a') }, 'request.invalid'],
    ['an attribute without a name', { attributes: { '': 'x' } }, 'request.invalid'],
    ['an attribute of 801 characters', { attributes: { a: 'x'.repeat(801) } }, 'request.invalid'],
  ])('refuses %s', async (_name, change, code) => {
    await expect(establish(change)).rejects.toThrowError(coded(code));
    expect((await world.registry.list('default', {}, { limit: 1 })).rows).toEqual([]);
  });

  it('refuses a second device of one name, serial number or UEID', async () => {
    await establish({ ueid: '01'.repeat(17) });
    await expect(establish()).rejects.toThrowError(coded('identity.device_exists'));
    await expect(establish({ deviceId: 'lamp-2', serialNumber: 'lamp-1' })).rejects.toThrowError(
      coded('identity.device_exists'),
    );
    await expect(establish({ deviceId: 'lamp-2', ueid: '01'.repeat(17) })).rejects.toThrowError(
      coded('store.conflict'),
    );
  });

  it('lets no two devices share an anchor, nor a device enroll with one', async () => {
    const key = await generatePrivateKey('P-256');
    const attestationAnchor = key.publicKey.spki;
    await establish({ ueid: '01'.repeat(17), attestationAnchor });
    await expect(establish({ deviceId: 'lamp-2', ueid: '02'.repeat(17), attestationAnchor })).rejects.toThrowError(
      coded('identity.key_reuse'),
    );
    const claim = await world.addClaim({ serials: ['lamp-1'] });
    await expect(
      world.enrollment.enrollDirect(claim, await makeCsr({ key }), connection('c', 'est')),
    ).rejects.toThrowError(coded('identity.key_reuse'));
  });

  it('replaces groups and attributes', async () => {
    await establish({ groups: ['a', 'b'], attributes: { x: '1' } });
    expect(await world.registry.setGroups(ADMIN, 'lamp-1', ['c', 'b'])).toEqual(['b', 'c']);
    expect(await world.registry.groups('default', 'lamp-1')).toEqual(['b', 'c']);
    expect(await world.registry.setAttributes(ADMIN, 'lamp-1', { y: '2' })).toMatchObject({ attributes: { y: '2' } });
    await expect(world.registry.setGroups(ADMIN, 'nobody', [])).rejects.toThrowError(coded('identity.unknown_device'));
  });

  it('lets a re-admitted device go on with its certificate, and one without enroll anew', async () => {
    await establish();
    await world.registry.suspend(ADMIN, 'lamp-1');
    expect(await world.registry.readmit(ADMIN, 'lamp-1')).toMatchObject({ state: 'established' });
    const claim = await world.addClaim({ serials: ['lamp-1'] });
    await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    await world.registry.suspend(ADMIN, 'lamp-1', 'lost');
    expect(await world.registry.show('default', 'lamp-1')).toMatchObject({ state: 'suspended', stateReason: 'lost' });
    expect(await world.registry.readmit(ADMIN, 'lamp-1')).toMatchObject({ state: 'active', stateReason: undefined });
    await world.revocation.device(ADMIN, 'lamp-1', 'cessationOfOperation');
    expect(await world.registry.readmit(ADMIN, 'lamp-1')).toMatchObject({ state: 'established' });
  });

  it('knows an operator by a certificate of its own', async () => {
    const { publicKey } = await generatePrivateKey('P-256');
    const { fingerprint: id, der } = await world.authority.issue(
      {
        profile: 'operator',
        publicKey,
        commonName: 'bob',
        names: [],
        state: 'active',
        subjectId: 'bob',
        claimId: undefined,
        keyOrigin: 'device',
        door: 'local',
        actor: 'operator:alice',
      },
      () => [],
    );
    expect(id).toBe(fingerprint(der));
    expect(await world.peers.identify(id, world.clock.now())).toMatchObject({
      kind: 'operator',
      principal: { kind: 'operator', tenant: 'default', name: 'bob', via: 'certificate' },
    });
    await world.revocation.certificate(ADMIN, id, 'privilegeWithdrawn');
    expect(await world.peers.identify(id, world.clock.now())).toMatchObject({ kind: 'refused' });
  });
});
