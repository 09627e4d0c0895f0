import { fingerprint, generatePrivateKey, importPrivateKey, type PrivateKey } from '@holdfast/crypto';
import { decodeCertificate } from '@holdfast/wire/x509';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const HOUR_MS = 3_600_000;

describe('enrollment in two steps', () => {
  let world: IdentityWorld;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
  });
  afterEach(() => world.opened.close());

  const create = async (claim: ClaimPrincipal, key?: PrivateKey, connectionId = 'c1') =>
    world.enrollment.createCertificate(
      claim,
      key ? { csrDer: await makeCsr({ key }) } : { serverKey: true },
      connection(connectionId),
    );
  const register = (claim: ClaimPrincipal, ownershipToken: string, serial: string, connectionId = 'c1') =>
    world.enrollment.registerThing(
      claim,
      { template: 'lamp', ownershipToken, parameters: { SerialNumber: serial } },
      connection(connectionId),
    );
  const certificates = (deviceId: string) => world.repositories.certificates.ofDevice('default', deviceId);
  const pending = (claim: ClaimPrincipal) => world.repositories.certificates.pendingOfClaim('default', claim.claimId);

  it('gives a certificate that is worth nothing before its device is registered', async () => {
    const claim = await world.addClaim();
    const made = await create(claim, await generatePrivateKey('P-256'));
    expect(made.certificateId).toBe(fingerprint(made.certificateDer));
    expect(await world.peers.identify(made.certificateId, world.clock.now())).toMatchObject({
      kind: 'refused',
      code: 'identity.certificate_pending',
    });
    expect(await register(claim, made.ownershipToken, 'lamp-1')).toEqual({
      deviceId: 'lamp-1',
      deviceConfiguration: { region: 'eu' },
    });
    expect(await world.peers.identify(made.certificateId, world.clock.now())).toMatchObject({
      kind: 'device',
      principal: { kind: 'device', tenant: 'default', deviceId: 'lamp-1', fingerprint: made.certificateId },
    });
  });

  it('makes the key when asked, shows it once, and marks the certificate', async () => {
    const claim = await world.addClaim();
    const made = await create(claim);
    const key = importPrivateKey(made.privateKeyPkcs8 ?? new Uint8Array());
    expect(key.publicKey.spki).toEqual(decodeCertificate(made.certificateDer).spki.raw);
    expect((await world.repositories.certificates.find(made.certificateId))?.keyOrigin).toBe('server');
    expect((await create(claim, await generatePrivateKey('P-256'))).privateKeyPkcs8).toBeUndefined();
  });

  it('has tokens that fit the buffers of small clients and are stored only as hashes', async () => {
    const { ownershipToken } = await create(await world.addClaim());
    expect(ownershipToken).toMatch(/^[\x21-\x7e]{40,450}$/);
    expect(await world.repositories.tokens.find(ownershipToken)).toBeUndefined();
  });

  describe('an ownership token', () => {
    it.each([
      ['on another connection', async (token: string, claim: ClaimPrincipal) => register(claim, token, 'lamp-1', 'c2')],
      ['by another claim', async (token: string) => register(await world.addClaim(), token, 'lamp-1')],
      [
        'after an hour',
        async (token: string, claim: ClaimPrincipal) => {
          world.clock.advance(HOUR_MS);
          return register(claim, token, 'lamp-1');
        },
      ],
      ['that is no token', async (token: string, claim: ClaimPrincipal) => register(claim, `${token}x`, 'lamp-1')],
      ['that is empty', async (_token: string, claim: ClaimPrincipal) => register(claim, '', 'lamp-1')],
      [
        'for a second device',
        async (token: string, claim: ClaimPrincipal) => {
          await register(claim, token, 'lamp-0');
          return register(claim, token, 'lamp-1');
        },
      ],
      [
        'after the device was revoked',
        async (token: string, claim: ClaimPrincipal) => {
          await register(claim, token, 'lamp-1');
          await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
          await world.registry.readmit(ADMIN, 'lamp-1');
          return register(claim, token, 'lamp-1');
        },
      ],
    ])('is refused %s (AC13)', async (_name, attack) => {
      const claim = await world.addClaim({ expiresAt: world.clock.now() + 2 * HOUR_MS });
      const { ownershipToken } = await create(claim);
      await expect(attack(ownershipToken, claim)).rejects.toThrowError(coded('identity.bad_token'));
      expect((await certificates('lamp-1')).filter(({ state }) => state === 'active')).toEqual([]);
      const actions = (await world.audit()).map(({ action }) => action);
      expect(actions.at(-1)).toBe('enrollment.refused');
    });

    it('answers the same device again when its reply was lost, and registers nothing twice', async () => {
      const claim = await world.addClaim();
      const { ownershipToken } = await create(claim);
      const first = await register(claim, ownershipToken, 'lamp-1');
      expect(await register(claim, ownershipToken, 'lamp-1')).toEqual(first);
      expect((await world.claims.show('default', claim.claimId)).used).toBe(1);
    });

    it('is void once its device is revoked, also while still open', async () => {
      const claim = await world.addClaim();
      const done = await create(claim);
      await register(claim, done.ownershipToken, 'lamp-1');
      const open = await create(claim);
      await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
      await expect(register(claim, open.ownershipToken, 'lamp-2')).rejects.toThrowError(coded('identity.bad_token'));
    });
  });

  it('demands a serial number of plain characters, from the list of the claim', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
    const anyone = await world.addClaim();
    const attempt = async (by: ClaimPrincipal, serial: string) =>
      register(by, (await create(by)).ownershipToken, serial);
    await expect(attempt(claim, '')).rejects.toThrowError(coded('identity.serial_required'));
    await expect(attempt(claim, 'lamp-3')).rejects.toThrowError(coded('identity.serial_not_listed'));
    for (const name of ['+', '#', 'a/b', 'lämp', 'a\0', 'x'.repeat(129), '$share']) {
      await expect(attempt(anyone, name)).rejects.toThrowError(coded('identity.bad_device_name'));
    }
  });

  it('registers each listed serial number once, whatever happens to the device after', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
    await register(claim, (await create(claim)).ownershipToken, 'lamp-1');
    await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
    await world.registry.readmit(ADMIN, 'lamp-1');
    const { ownershipToken } = await create(claim);
    await expect(register(claim, ownershipToken, 'lamp-1')).rejects.toThrowError(coded('identity.serial_used'));
  });

  it('makes no more certificates than the quota, however often the claim is replayed (AC12)', async () => {
    const claim = await world.addClaim({ quota: 3 });
    for (let i = 0; i < 5; i++) await create(claim);
    expect(await pending(claim)).toHaveLength(3);
    for (let i = 0; i < 3; i++) await register(claim, (await create(claim)).ownershipToken, `lamp-${i}`);
    await expect(create(claim)).rejects.toThrowError(coded('identity.claim_used_up'));
    expect(await pending(claim)).toHaveLength(0);
    expect((await world.claims.show('default', claim.claimId)).used).toBe(3);
  });

  it('gives up the oldest pending certificate and its token when there is no room left', async () => {
    const claim = await world.addClaim({ quota: 1 });
    const lost = await create(claim);
    world.clock.advance(1000);
    const kept = await create(claim);
    await expect(register(claim, lost.ownershipToken, 'lamp-1')).rejects.toThrowError(coded('identity.bad_token'));
    expect(await register(claim, kept.ownershipToken, 'lamp-1')).toMatchObject({ deviceId: 'lamp-1' });
  });

  it('slows a replayed claim down and logs the first refusal alone (AC12)', async () => {
    await world.opened.close();
    world = await openIdentityWorld({ limits: { claimRate: { burst: 3, perSecond: 1 } } });
    await world.addProduct('lamp');
    const claim = await world.addClaim();
    for (let i = 0; i < 3; i++) await create(claim);
    for (let i = 0; i < 3; i++) await expect(create(claim)).rejects.toThrowError(coded('identity.rate_limited'));
    const refusals = (await world.audit()).filter(({ details }) => details.includes('identity.rate_limited'));
    expect(refusals).toHaveLength(1);
    world.clock.advance(1000);
    await create(claim);
  });

  it('refuses a replayed claim for ever and does not let it fill the log (AC12)', async () => {
    const claim = await world.addClaim();
    for (let i = 0; i < 60; i++) {
      await expect(register(claim, 'made up', 'lamp-1')).rejects.toThrowError(coded('identity.bad_token'));
    }
    const refusals = (await world.audit()).filter(({ details }) => details.includes('identity.bad_token'));
    expect(refusals).toHaveLength(50);
  });

  describe('after a crash', () => {
    it('starts over with the same key on a new connection, leaving one certificate', async () => {
      const claim = await world.addClaim({ quota: 1 });
      const key = await generatePrivateKey('P-256');
      await create(claim, key, 'c1');
      const again = await create(claim, key, 'c2');
      await register(claim, again.ownershipToken, 'lamp-1', 'c2');
      expect((await certificates('lamp-1')).map(({ fingerprint: id }) => id)).toEqual([again.certificateId]);
      expect(await pending(claim)).toEqual([]);
    });

    it('offers the certificate of a registration whose reply was lost again', async () => {
      const claim = await world.addClaim({ quota: 1 });
      const key = await generatePrivateKey('P-256');
      const first = await create(claim, key, 'c1');
      await register(claim, first.ownershipToken, 'lamp-1', 'c1');
      const again = await create(claim, key, 'c2');
      expect(again.certificateId).toBe(first.certificateId);
      expect(await register(claim, again.ownershipToken, 'lamp-1', 'c2')).toMatchObject({ deviceId: 'lamp-1' });
      await expect(register(claim, again.ownershipToken, 'lamp-2', 'c2')).rejects.toThrowError(
        coded('identity.bad_token'),
      );
      expect((await world.claims.show('default', claim.claimId)).used).toBe(1);
    });

    it('offers nothing again once the certificate was used', async () => {
      const claim = await world.addClaim({ quota: 2 });
      const key = await generatePrivateKey('P-256');
      const first = await create(claim, key);
      await register(claim, first.ownershipToken, 'lamp-1');
      await world.peers.identify(first.certificateId, world.clock.now());
      await expect(create(claim, key, 'c2')).rejects.toThrowError(coded('identity.key_reuse'));
    });

    it('lets a device that began at one door end at the other', async () => {
      const claim = await world.addClaim({ serials: ['lamp-1'] });
      const key = await generatePrivateKey('P-256');
      await create(claim, key);
      const direct = await world.enrollment.enrollDirect(claim, await makeCsr({ key }), connection('c2', 'est'));
      const again = await world.enrollment.enrollDirect(claim, await makeCsr({ key }), connection('c3', 'est'));
      expect(again).toEqual(direct);
      expect(await pending(claim)).toEqual([]);
    });
  });

  it('gives up what nobody claimed within an hour', async () => {
    const claim = await world.addClaim({ expiresAt: world.clock.now() + 9 * HOUR_MS });
    const { certificateId } = await create(claim);
    expect(await world.enrollment.sweep()).toBe(0);
    world.clock.advance(HOUR_MS);
    expect(await world.enrollment.sweep()).toBe(1);
    expect(await world.enrollment.sweep()).toBe(0);
    expect((await world.repositories.certificates.find(certificateId))?.state).toBe('abandoned');
  });

  it('gives EST devices of a quota claim a name after their key, and asks which one of several', async () => {
    const key = await generatePrivateKey('P-256');
    const quota = await world.addClaim();
    const { deviceId } = await world.enrollment.enrollDirect(quota, await makeCsr({ key }), connection('c', 'est'));
    expect(deviceId).toBe(`lamp-${fingerprint(key.publicKey.spki).slice(0, 16)}`);
    const two = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
    const ask = async () => world.enrollment.enrollDirect(two, await makeCsr(), connection('c', 'est'));
    await expect(ask()).rejects.toThrowError(coded('identity.serial_required'));
    await register(two, (await create(two)).ownershipToken, 'lamp-1');
    expect(await ask()).toMatchObject({ deviceId: 'lamp-2' });
  });

  it('puts the devices of a claim into its groups', async () => {
    const claim = await world.addClaim({ serials: ['lamp-1'], groups: ['pilot', 'line-3'] });
    await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    expect(await world.registry.groups('default', 'lamp-1')).toEqual(['line-3', 'pilot']);
  });

  it.each([
    ['neither serials nor quota', { quota: undefined, serials: undefined }],
    ['both', { quota: 1, serials: ['a'] }],
    ['no serial', { serials: [] }],
    ['a quota of zero', { quota: 0 }],
    ['an end that has passed', { quota: 1, expiresAt: 0 }],
    ['an end years away', { quota: 1, expiresAt: Number.MAX_SAFE_INTEGER }],
  ])('makes no claim with %s', async (_name, wish) => {
    const expiresAt = world.clock.now() + HOUR_MS;
    await expect(world.claims.create(ADMIN, { product: 'lamp', expiresAt, ...wish })).rejects.toThrowError(
      coded('identity.bad_claim'),
    );
  });
});
