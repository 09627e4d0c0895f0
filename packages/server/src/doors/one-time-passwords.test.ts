import { decodeHex } from '@holdfast/kernel';
import type { MintedPassword, PasswordVerdict } from '@holdfast/trust/identity';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { query } from '../persistence/index.ts';
import { ADMIN, type IdentityWorld, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const DAY_MS = 86_400_000;

describe('one-time passwords', () => {
  let world: IdentityWorld;
  let claim: ClaimPrincipal;

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
  });
  afterEach(() => world.opened.close());

  const mint = async (wish: object = { serials: ['lamp-1'] }): Promise<MintedPassword> => {
    const [first] = await world.passwords.mint(ADMIN, { claimId: claim.claimId, ...wish });
    if (first === undefined) throw new TypeError('nothing minted');
    return first;
  };

  const check = (name: string, password: string, remoteAddress = '192.0.2.1'): Promise<PasswordVerdict> =>
    world.passwords.check({ tenant: 'default', name, password, remoteAddress });

  const use = async ({ record }: MintedPassword, key = 'k1') =>
    world.opened.store.commit([world.repositories.passwords.using(record.passwordId, key, world.clock.now())]);

  it('open their claim by serial number or by id, however they were typed', async () => {
    const { password, record } = await mint();
    expect(password).toMatch(/^([0-9a-hj-km-np-tv-z]{6}-){3}[0-9a-hj-km-np-tv-z]{6}$/);
    const accepted = { kind: 'accepted', principal: claim, password: record };
    expect(await check('lamp-1', password)).toEqual(accepted);
    expect(await check(record.passwordId, password)).toEqual(accepted);
    expect(await check('lamp-1', ` ${password.toUpperCase().replaceAll('-', '').replaceAll('0', 'O')} `)).toEqual(
      accepted,
    );
  });

  it('may belong to a claim as a whole', async () => {
    const minted = await world.passwords.mint(ADMIN, { claimId: claim.claimId, count: 3 });
    expect(new Set(minted.map(({ password }) => password)).size).toBe(3);
    const [{ password, record } = await mint()] = minted;
    expect(record.serialNumber).toBeUndefined();
    expect((await check(record.passwordId, password)).kind).toBe('accepted');
  });

  it('are kept as a keyed hash alone', async () => {
    const { password, record } = await mint();
    const rows = await world.opened.reader.all(query.selectFrom('one_time_passwords').selectAll());
    const kept = JSON.stringify([rows, await world.audit()]);
    for (const form of [password, password.replaceAll('-', '')]) expect(kept).not.toContain(form);
    expect(record.verifier).toHaveLength(32);
  });

  it('are refused alike whatever is wrong', async () => {
    const { password, record } = await mint();
    const refused = { kind: 'refused' };
    expect(
      await check(
        'lamp-1',
        password.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      ),
    ).toEqual(refused);
    expect(await check('lamp-2', password)).toEqual(refused);
    expect(await check('lamp-9', password)).toEqual(refused);
    expect(await check('', '')).toEqual(refused);
    expect(await check('lamp-1', 'x'.repeat(10_000))).toEqual(refused);
    expect(
      await world.passwords.check({ tenant: 'other', name: record.passwordId, password, remoteAddress: 'a' }),
    ).toEqual(refused);
    expect((await world.audit()).at(-1)).toMatchObject({ action: 'password.refused', subject: 'a' });
  });

  it('end with their time', async () => {
    const { password } = await mint({ serials: ['lamp-1'], expiresAt: world.clock.now() + 1000 });
    world.clock.advance(999);
    expect((await check('lamp-1', password)).kind).toBe('accepted');
    world.clock.advance(1);
    expect((await check('lamp-1', password)).kind).toBe('refused');
  });

  it('never outlive their claim', async () => {
    const { record } = await mint({ serials: ['lamp-1'], expiresAt: world.clock.now() + 300 * DAY_MS });
    expect(record.expiresAt).toBe(world.clock.now() + 3_600_000);
  });

  it('are void once another is made for the same serial number', async () => {
    const first = await mint();
    const second = await mint();
    expect((await check('lamp-1', first.password)).kind).toBe('refused');
    expect((await check(first.record.passwordId, first.password)).kind).toBe('refused');
    expect((await check('lamp-1', second.password)).kind).toBe('accepted');
  });

  it('are used once, and answer for ten minutes more whoever lost the answer', async () => {
    const minted = await mint();
    await use(minted);
    await expect(use(minted, 'k2')).rejects.toThrowError(coded('store.conflict'));
    const again = await check('lamp-1', minted.password);
    expect(again).toMatchObject({ kind: 'accepted', password: { state: 'used', usedKey: 'k1' } });
    world.clock.advance(600_000);
    expect((await check('lamp-1', minted.password)).kind).toBe('refused');
  });

  it.each<[string, string, object]>([
    ['a claim nobody made', 'identity.unknown_claim', { claimId: 'none', serials: ['lamp-1'] }],
    ['a serial number the claim does not list', 'identity.serial_not_listed', { serials: ['lamp-9'] }],
    ['a name that is none', 'identity.bad_device_name', { serials: ['lamp/1'] }],
    ['no serial number and no count', 'identity.bad_claim', {}],
    ['both', 'identity.bad_claim', { serials: ['lamp-1'], count: 1 }],
    ['more than 1,000 at once', 'identity.bad_claim', { count: 1001 }],
    ['a time that has passed', 'identity.bad_claim', { serials: ['lamp-1'], expiresAt: 1 }],
  ])('are not made for %s', async (_name, code, wish) => {
    await expect(mint({ serials: undefined, ...wish })).rejects.toThrowError(coded(code));
  });

  it('are not made of a claim that ended', async () => {
    const cancelled = await world.addClaim({ serials: ['lamp-3'] });
    await world.claims.cancel(ADMIN, cancelled.claimId);
    await expect(mint({ claimId: cancelled.claimId, serials: ['lamp-3'] })).rejects.toThrowError(
      coded('identity.claim_revoked'),
    );
    world.clock.advance(3_600_000);
    await expect(mint()).rejects.toThrowError(coded('identity.claim_expired'));
  });

  describe('under attack', () => {
    it('slow a guesser down by address, and honest neighbours not at all', async () => {
      const { password } = await mint();
      for (let at = 0; at < 30; at++) expect((await check(`nobody-${at}`, 'x', '198.51.100.7')).kind).toBe('refused');
      expect((await check('lamp-1', password, '198.51.100.7')).kind).toBe('limited');
      for (let at = 0; at < 100; at++) expect((await check('lamp-1', password)).kind).toBe('accepted');
    });

    it('counts all addresses of one IPv6 network as one', async () => {
      for (let at = 0; at < 30; at++) expect((await check(`n-${at}`, 'x', `2001:db8::${at}`)).kind).toBe('refused');
      expect((await check('n-30', 'x', '2001:db8::ffff')).kind).toBe('limited');
      expect((await check('n-31', 'x', '2001:db8:0:1::1')).kind).toBe('refused');
    });

    it('slow guessers from everywhere down by the name they try', async () => {
      const { password } = await mint();
      for (let at = 0; at < 10; at++) expect((await check('lamp-1', 'x', `2001:db8::${at}`)).kind).toBe('refused');
      expect((await check('lamp-1', password)).kind).toBe('limited');
      world.clock.advance(60_000);
      expect((await check('lamp-1', password)).kind).toBe('accepted');
    });

    it('fill the log no faster than the pace of refusals', async () => {
      for (let at = 0; at < 200; at++) await check('nobody', 'x');
      const refusals = (await world.audit()).filter(({ action }) => action === 'password.refused');
      expect(refusals.length).toBeLessThanOrEqual(50);
    });

    it('do not open with the row of another password', async () => {
      const [mine, other] = [await mint(), await mint({ serials: ['lamp-2'] })];
      await world.opened.store.commit([
        world.repositories.passwords.voidingOfSerial('default', 'lamp-2'),
        world.repositories.passwords.inserting({
          ...other.record,
          passwordId: 'ffffffffffffffff',
          verifier: mine.record.verifier,
        }),
      ]);
      expect(mine.record.verifier).not.toEqual(decodeHex('00'.repeat(32)));
      expect((await check('ffffffffffffffff', mine.password)).kind).toBe('refused');
    });
  });
});
