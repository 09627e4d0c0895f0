import { generatePrivateKey } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqlImageKeyRepository } from '../../../server/src/persistence/repositories/image-keys.ts';
import { vectorPublicKey } from '../../../crypto/src/mcuboot/sample-images.ts';
import { SqlAuditLog } from '../../../server/src/persistence/repositories/audit.ts';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../../server/src/testing/update-world.ts';
import type { ProductRecord } from '../ports/index.ts';
import { KeySets } from './index.ts';

const coded = (code: string) => expect.objectContaining({ code }) as unknown;
const reason = 'yearly';

let world: UpdateWorld;
let sets: KeySets;
let first: Uint8Array;

beforeEach(async () => {
  world = await openUpdateWorld();
  first = await newSpki();
  await world.addProduct({ imageKeyId: 'first' });
  const { clock, opened, repositories } = world;
  const { store, audit, outbox, reader } = opened;
  sets = new KeySets({
    ...repositories,
    clock,
    store,
    audit,
    outbox,
    imageKeys: new SqlImageKeyRepository(reader),
    spkiOf: (_tenant, keyId) =>
      keyId === 'first' ? Promise.resolve(first) : Promise.reject(new HoldfastError('storage.unknown_key')),
  });
});
afterEach(() => world.opened.close());

const newSpki = async (): Promise<Uint8Array> => (await generatePrivateKey('P-256')).publicKey.spki;

async function lamp(): Promise<ProductRecord> {
  const product = await world.repositories.products.find('default', 'lamp');
  if (product === undefined) throw new Error('no product');
  return product;
}

const states = async () => (await sets.list(await lamp())).map(({ keyId, state }) => `${keyId} ${state}`);
const add = async (keyId: string) => sets.add(OPERATOR, 'lamp', { custody: 'sealed', keyId, spki: await newSpki() });

describe('the key set of a product', () => {
  it('is its one image key until it is changed, held by every device', async () => {
    expect(await states()).toEqual(['first active']);
    expect(await sets.trusted(await lamp())).toEqual([first]);
    expect(await sets.heldSince(await lamp(), world.clock.now())).toEqual([first]);
  });

  it('takes another key as the next one, which is accepted and held by devices made from then on', async () => {
    const before = world.clock.now();
    world.clock.advance(1000);
    const { slot } = await add('second');
    expect(slot).toBe(1);
    expect(await states()).toEqual(['first active', 'second next']);
    expect(await sets.trusted(await lamp())).toHaveLength(2);
    expect(await sets.heldSince(await lamp(), before)).toEqual([first]);
    expect(await sets.heldSince(await lamp(), world.clock.now())).toHaveLength(2);
  });

  it('signs with the next key once it is rotated, and still accepts the former', async () => {
    await add('second');
    await sets.rotate(OPERATOR, 'lamp', { reason });
    expect(await states()).toEqual(['first former', 'second active']);
    expect((await lamp()).imageKeyId).toBe('second');
    expect(await sets.trusted(await lamp())).toHaveLength(2);
    await sets.rotate(OPERATOR, 'lamp', { keyId: 'first', reason: 'back' });
    expect(await states()).toEqual(['first active', 'second former']);
  });

  it('is not rotated to a key that devices in the field do not hold, unless they are given up in words', async () => {
    await world.addDevice('old');
    await world.addDevice('gone', { state: 'revoked' });
    world.clock.advance(1000);
    await add('second');
    await world.addDevice('new', { createdAt: world.clock.now() });
    const stranding = sets.rotate(OPERATOR, 'lamp', { reason });
    await expect(stranding).rejects.toMatchObject({ code: 'boot.rotation_strands', details: { devices: 1 } });
    expect(await states()).toEqual(['first active', 'second next']);
    await sets.rotate(OPERATOR, 'lamp', { reason, strand: true });
    const page = await new SqlAuditLog(world.opened.reader).list('default', {}, { limit: 1 });
    expect(page.rows[0]?.action).toBe('product.key_rotated');
    expect(JSON.parse(page.rows[0]?.details ?? '')).toMatchObject({ key: 'second', former: 'first', stranded: 1 });
  });

  it('accepts nothing of a revoked key, which keeps its place and never signs again', async () => {
    await add('second');
    await sets.rotate(OPERATOR, 'lamp', { reason });
    await sets.revoke(OPERATOR, 'lamp', { keyId: 'first', reason });
    expect(await states()).toEqual(['first revoked', 'second active']);
    expect(await sets.trusted(await lamp())).not.toContainEqual(first);
    expect(await sets.heldSince(await lamp(), world.clock.now())).toContainEqual(first);
    await expect(sets.rotate(OPERATOR, 'lamp', { keyId: 'first', reason })).rejects.toEqual(coded('boot.key_state'));
    expect((await add('third')).slot).toBe(2);
    expect(await sets.revoke(OPERATOR, 'lamp', { keyId: 'first', reason })).toMatchObject({ state: 'revoked' });
  });

  it('is signed elsewhere after a rotation to a key that is not here', async () => {
    const { keyId } = await sets.add(OPERATOR, 'lamp', { custody: 'offline', spki: await newSpki() });
    await sets.rotate(OPERATOR, 'lamp', { reason });
    expect((await lamp()).imageKeyId).toBeUndefined();
    expect(await states()).toEqual(['first former', `${keyId} active`]);
  });

  it('has four places, each used once', async () => {
    for (const keyId of ['second', 'third', 'fourth']) await add(keyId);
    await sets.revoke(OPERATOR, 'lamp', { keyId: 'third', reason });
    await expect(add('fifth')).rejects.toEqual(coded('boot.key_set_full'));
  });

  it('refuses a key it has, one that a vendor publishes, and one that boot code does not know', async () => {
    const again = sets.add(OPERATOR, 'lamp', { custody: 'offline', spki: first });
    await expect(again).rejects.toEqual(coded('boot.key_exists'));
    const x25519 = (await generatePrivateKey('x25519')).publicKey.spki;
    const other = sets.add(OPERATOR, 'lamp', { custody: 'offline', spki: x25519 });
    await expect(other).rejects.toEqual(coded('boot.unsupported_key'));
    const published = sets.add(OPERATOR, 'lamp', {
      custody: 'offline',
      spki: vectorPublicKey('root-ec-p256').key.spki,
    });
    await expect(published).rejects.toEqual(coded('boot.test_key'));
  });

  it('wants a key to be named when it is not the only next one, and an active one to be rotated away from', async () => {
    for (const keyId of ['second', 'third']) await add(keyId);
    await expect(sets.rotate(OPERATOR, 'lamp', { reason })).rejects.toEqual(coded('boot.unknown_image_key'));
    const unknown = sets.revoke(OPERATOR, 'lamp', { keyId: 'nobody', reason });
    await expect(unknown).rejects.toEqual(coded('boot.unknown_image_key'));
    const active = sets.revoke(OPERATOR, 'lamp', { keyId: 'first', reason });
    await expect(active).rejects.toEqual(coded('boot.key_state'));
  });
});
