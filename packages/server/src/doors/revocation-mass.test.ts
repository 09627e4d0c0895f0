import { fingerprint } from '@holdfast/crypto';
import type { RevocationTarget } from '@holdfast/trust/identity';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const STRANGER = { ...ADMIN, tenant: 'other' };

let world: IdentityWorld;
let claims: readonly ClaimPrincipal[];
const certificates: Record<string, string> = {};

beforeEach(async () => {
  world = await openIdentityWorld();
  await world.addProduct('lamp');
  claims = [await world.addClaim({ serials: ['a-1', 'a-2', 'a-3'] }), await world.addClaim({ serials: ['b-1'] })];
  for (const [at, name] of [
    [0, 'a-1'],
    [0, 'a-2'],
    [0, 'a-3'],
    [1, 'b-1'],
  ] as const) {
    const claim = claims[at];
    if (claim === undefined) throw new TypeError('no claim');
    const place = connection(name);
    const pending = await world.enrollment.createCertificate(claim, { csrDer: await makeCsr() }, place);
    const { certificateDer, ownershipToken } = pending;
    const wish = { template: 'default', ownershipToken, parameters: { SerialNumber: name } };
    const { deviceId } = await world.enrollment.registerThing(claim, wish, place);
    certificates[deviceId] = fingerprint(certificateDer);
  }
});
afterEach(() => world.opened.close());

const kinds = async () => {
  const all = await Promise.all(
    Object.entries(certificates).map(async ([device, own]) => {
      const verdict = await world.peers.identify(own, world.clock.now());
      return [device, verdict.kind === 'refused' ? verdict.code : verdict.kind] as const;
    }),
  );
  return Object.fromEntries(all);
};
const run = (target: RevocationTarget, expected: number) =>
  world.massRevocation.run(ADMIN, target, { reason: 'keyCompromise', expected });

describe('a mass revocation', () => {
  const REVOKED = 'identity.certificate_revoked';
  const cases: readonly (readonly [string, () => RevocationTarget, number, number, readonly string[]])[] = [
    ['a batch', () => ({ kind: 'devices', devices: ['a-1', 'b-1', 'a-1'] }), 2, 0, ['a-1', 'b-1']],
    ['a claim', () => ({ kind: 'claim', claim: claims[0]?.claimId ?? '' }), 3, 1, ['a-1', 'a-2', 'a-3']],
    [
      'an authority',
      () => ({ kind: 'issuer', issuer: world.authority.issuing.fingerprint }),
      4,
      2,
      ['a-1', 'a-2', 'a-3', 'b-1'],
    ],
    ['a tenant', () => ({ kind: 'tenant' }), 4, 2, ['a-1', 'a-2', 'a-3', 'b-1']],
  ];

  it.each(cases)('of %s reaches whom its preview counted, and nobody else', async (_, target, devices, count, gone) => {
    const preview = await world.massRevocation.preview(ADMIN, target());
    expect(preview).toEqual({ devices, certificates: devices, claims: count, already: 0, unknown: 0 });
    const outcome = await run(target(), devices);
    expect(outcome).toEqual({ devices, certificates: devices, claims: count, ticketEpoch: 1 });
    const expected = Object.keys(certificates).map((name) => [name, gone.includes(name) ? REVOKED : 'device']);
    expect(await kinds()).toEqual(Object.fromEntries(expected));
    const again = await world.massRevocation.preview(ADMIN, target());
    expect(again).toMatchObject({ devices: 0, certificates: 0, claims: 0 });
    expect(await run(target(), 0)).toMatchObject({ devices: 0, ticketEpoch: 2 });
  });

  it('revokes nobody when the number is not the expected one', async () => {
    const before = await world.audit();
    await expect(run({ kind: 'tenant' }, 3)).rejects.toThrowError(coded('identity.preview_outdated'));
    expect(await world.audit()).toEqual(before);
    expect(await world.repositories.epochs.find('default')).toBe(0);
  });

  it('counts what is unknown and what was revoked before', async () => {
    await world.revocation.device(ADMIN, 'a-1', 'unspecified');
    const target = { kind: 'devices', devices: ['a-1', 'a-2', 'nobody'] } as const;
    expect(await world.massRevocation.preview(ADMIN, target)).toEqual({
      devices: 1,
      certificates: 1,
      claims: 0,
      already: 1,
      unknown: 1,
    });
  });

  it('goes no further than its tenant', async () => {
    const issuer = world.authority.issuing.fingerprint;
    for (const target of [
      { kind: 'claim', claim: claims[0]?.claimId ?? '' },
      { kind: 'issuer', issuer },
    ] as const) {
      await expect(world.massRevocation.preview(STRANGER, target)).rejects.toThrowError(/./);
    }
    expect(await world.massRevocation.preview(STRANGER, { kind: 'tenant' })).toMatchObject({ devices: 0, claims: 0 });
    const foreign = { kind: 'devices', devices: ['a-1'] } as const;
    expect(await world.massRevocation.preview(STRANGER, foreign)).toMatchObject({ devices: 0, unknown: 1 });
  });

  it('is one entry of the log before its devices, and leaves no claim that could enroll them again', async () => {
    await run({ kind: 'claim', claim: claims[0]?.claimId ?? '' }, 3);
    const actions = (await world.audit()).map(({ action }) => action);
    const begun = actions.indexOf('revocation.mass');
    expect(actions.slice(begun).filter((action) => action === 'device.revoked')).toHaveLength(3);
    expect(actions.slice(0, begun)).not.toContain('device.revoked');
    expect((await world.claims.show('default', claims[0]?.claimId ?? '')).state).toBe('revoked');
  });

  it('reads more than one page of devices', async () => {
    const { devices } = world.repositories;
    const template = await devices.find('default', 'a-1');
    if (template === undefined) throw new TypeError('no device');
    const more = Array.from({ length: 1500 }, (_, i) => `z-${i}`);
    await world.opened.store.commit(
      more.map((name) => devices.inserting({ ...template, deviceId: name, serialNumber: name })),
    );
    expect(await world.massRevocation.preview(ADMIN, { kind: 'tenant' })).toMatchObject({ devices: 1504 });
  });
});
