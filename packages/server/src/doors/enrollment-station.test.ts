import { generatePrivateKey } from '@holdfast/crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });

describe('enrollment at a factory station', () => {
  let world: IdentityWorld;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
  });
  afterEach(() => world.opened.close());

  const at = (serialNumber: string, keyOrigin: 'device' | 'station' = 'station') => ({
    connectionId: 'station',
    remoteAddress: 'socket',
    door: 'station' as const,
    station: { serialNumber, keyOrigin, operator: 'operator:alice' },
  });
  const certificatesOf = (deviceId: string) => world.repositories.certificates.ofDevice('default', deviceId);

  it('names the device within a claim of many, and says where the key was made and who answers for it', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2', 'lamp-3'] });
    const { deviceId } = await world.enrollment.enrollDirect(claim, await makeCsr(), at('lamp-2'));
    expect(deviceId).toBe('lamp-2');
    await world.enrollment.enrollDirect(claim, await makeCsr(), at('lamp-3', 'device'));
    expect(await certificatesOf('lamp-2')).toMatchObject([{ keyOrigin: 'station', door: 'station', state: 'active' }]);
    expect(await certificatesOf('lamp-3')).toMatchObject([{ keyOrigin: 'device', door: 'station' }]);
    const details = (await world.audit())
      .filter(({ action }) => action === 'device.enrolled')
      .map((each) => each.details);
    expect(details.map((each) => JSON.parse(each))).toMatchObject([
      { operator: 'operator:alice', keyOrigin: 'station' },
      { operator: 'operator:alice', keyOrigin: 'device' },
    ]);
  });

  it('answers the same request with the same certificate, as after a lost answer', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
    const key = await generatePrivateKey('P-256');
    const first = await world.enrollment.enrollDirect(claim, await makeCsr({ key }), at('lamp-1'));
    const second = await world.enrollment.enrollDirect(claim, await makeCsr({ key }), at('lamp-1'));
    expect(second).toEqual(first);
    expect(await certificatesOf('lamp-1')).toHaveLength(1);
  });

  it('does not hand out the certificate of one device for another with the same key', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
    const key = await generatePrivateKey('P-256');
    await world.enrollment.enrollDirect(claim, await makeCsr({ key }), at('lamp-1'));
    await expect(world.enrollment.enrollDirect(claim, await makeCsr({ key }), at('lamp-2'))).rejects.toThrowError(
      coded('identity.key_reuse'),
    );
  });

  it('refuses a key made on a station where the product has keys made in devices alone', async () => {
    const product = await world.repositories.products.find('default', 'lamp');
    if (product === undefined) throw new Error('no product');
    await world.opened.store.commit([
      world.repositories.products.changing(product, { enrollment: { ...product.enrollment, serverKeys: 'never' } }),
    ]);
    const claim = await world.addClaim({ serials: ['lamp-1'] });
    await expect(world.enrollment.enrollDirect(claim, await makeCsr(), at('lamp-1'))).rejects.toThrowError(
      coded('identity.server_key_refused'),
    );
    const { deviceId } = await world.enrollment.enrollDirect(claim, await makeCsr(), at('lamp-1', 'device'));
    expect(deviceId).toBe('lamp-1');
  });

  it('gives nothing for a device that is in the field', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1'] });
    await world.enrollment.enrollDirect(claim, await makeCsr(), at('lamp-1'));
    const another = await world.addClaim({ serials: ['lamp-1'] });
    await expect(world.enrollment.enrollDirect(another, await makeCsr(), at('lamp-1'))).rejects.toThrowError(
      coded('identity.device_has_certificate'),
    );
    expect((await world.registry.show(ADMIN.tenant, 'lamp-1')).state).toBe('active');
  });
});
