import { fingerprint, generatePrivateKey, type PrivateKey } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { deviceUri, Enrollment, type PeerVerdict } from '@holdfast/trust/identity';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import { decodeCertificate } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ADMIN,
  connection,
  type IdentityWorld,
  makeCsr,
  NO_HOOKS,
  openIdentityWorld,
} from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const DAY_MS = 86_400_000;
const EST = connection('c', 'est');

describe('who a peer is', () => {
  let world: IdentityWorld;
  let device: DevicePrincipal;
  let key: PrivateKey;

  const identify = (id: string): Promise<PeerVerdict> => world.peers.identify(id, world.clock.now());
  const verdictOf = async (id: string): Promise<string> => {
    const verdict = await identify(id);
    return verdict.kind === 'refused' ? verdict.code : verdict.kind;
  };
  const events = async (): Promise<readonly string[]> =>
    (await world.opened.events.since(0, 1000)).map(({ name, subject }) => `${name} ${subject}`);

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    const claim = await world.addClaim({ serials: ['lamp-1'], expiresAt: world.clock.now() + DAY_MS });
    key = await generatePrivateKey('P-256');
    const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr({ key }), EST);
    device = { kind: 'device', tenant: 'default', deviceId: 'lamp-1', fingerprint: fingerprint(certificateDer) };
  });
  afterEach(() => world.opened.close());

  it.each<[string, string, () => Promise<unknown>]>([
    ['nothing happened', 'device', async () => {}],
    ['the device was suspended', 'identity.device_suspended', () => world.registry.suspend(ADMIN, 'lamp-1')],
    [
      'the device was quarantined',
      'identity.device_quarantined',
      () => world.registry.quarantine(ADMIN, 'lamp-1', { code: 'x', words: 'two users', details: {} }),
    ],
    [
      'the device was revoked (AC03)',
      'identity.certificate_revoked',
      () => world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise'),
    ],
    [
      'the device was revoked and re-admitted: its old certificate stays dead',
      'identity.certificate_revoked',
      async () => {
        await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
        await world.registry.readmit(ADMIN, 'lamp-1');
      },
    ],
    [
      'its certificate was revoked',
      'identity.certificate_revoked',
      () => world.revocation.certificate(ADMIN, device.fingerprint, 'keyCompromise'),
    ],
    [
      'the authority that signed it was revoked',
      'identity.certificate_revoked',
      () => world.revocation.certificate(ADMIN, world.authority.issuing.fingerprint, 'cACompromise'),
    ],
    ['its certificate ran out (AC08)', 'identity.certificate_expired', async () => world.clock.jump(91 * DAY_MS)],
    [
      'the clock of the server stands before its certificate (AC08)',
      'identity.certificate_not_yet_valid',
      async () => world.clock.jump(-DAY_MS),
    ],
    [
      'it was suspended and re-admitted',
      'device',
      async () => {
        await world.registry.suspend(ADMIN, 'lamp-1');
        await world.registry.readmit(ADMIN, 'lamp-1');
      },
    ],
  ])('is answered when %s: %s', async (_name, expected, happen) => {
    await happen();
    expect(await verdictOf(device.fingerprint)).toBe(expected);
  });

  it('refuses what the registry never saw, authorities and servers', async () => {
    expect(await verdictOf('0'.repeat(64))).toBe('identity.unknown_certificate');
    expect(await verdictOf(world.authority.rootFingerprint)).toBe('identity.certificate_purpose');
    expect(await verdictOf(world.authority.issuing.fingerprint)).toBe('identity.certificate_purpose');
  });

  it('knows a claim until it is cancelled or its time is up', async () => {
    const claim = await world.addClaim({ quota: 1, expiresAt: world.clock.now() + 5000 });
    expect(await identify(claim.fingerprint)).toMatchObject({ kind: 'claim', principal: claim });
    world.clock.advance(5000);
    expect(await verdictOf(claim.fingerprint)).toBe('identity.claim_expired');
    const cancelled = await world.addClaim({ quota: 1 });
    await world.claims.cancel(ADMIN, cancelled.claimId);
    expect(await verdictOf(cancelled.fingerprint)).toBe('identity.certificate_revoked');
  });

  describe('renewal', () => {
    const renew = async (by = device, fresh = key) =>
      fingerprint(await world.enrollment.renew(by, await makeCsr({ key: fresh }), EST));

    it('keeps the old certificate until the new one is first used, then supersedes it', async () => {
      const next = await renew(device, await generatePrivateKey('P-256'));
      expect(await verdictOf(device.fingerprint)).toBe('device');
      expect(await verdictOf(next)).toBe('device');
      expect(await verdictOf(device.fingerprint)).toBe('identity.certificate_superseded');
      expect(await verdictOf(next)).toBe('device');
      expect(await events()).toContain(`certificate.superseded ${device.fingerprint}`);
    });

    it('answers a lost reply with the same certificate, another key with another one', async () => {
      const fresh = await generatePrivateKey('P-256');
      const first = await renew(device, fresh);
      expect(await renew(device, fresh)).toBe(first);
      const second = await renew(device, await generatePrivateKey('P-256'));
      expect(await verdictOf(first)).toBe('identity.certificate_revoked');
      expect(await verdictOf(second)).toBe('device');
    });

    it('may keep the key and writes the names of the registry again', async () => {
      const der = await world.enrollment.renew(device, await makeCsr({ key, commonName: 'lamp-9' }), EST);
      const { known, spki, validity } = decodeCertificate(der);
      expect(known.subjectAltName).toEqual([{ kind: 'uri', text: deviceUri('default', 'lamp-1') }]);
      expect(spki.raw).toEqual(key.publicKey.spki);
      expect(validity.notAfter - world.clock.now()).toBe(90 * DAY_MS);
    });

    it.each<[string, string, () => Promise<unknown>]>([
      [
        'a revoked certificate',
        'identity.certificate_revoked',
        () => world.revocation.certificate(ADMIN, device.fingerprint, 'keyCompromise'),
      ],
      ['an expired certificate', 'identity.certificate_expired', async () => world.clock.jump(91 * DAY_MS)],
      ['a suspended device', 'identity.device_suspended', () => world.registry.suspend(ADMIN, 'lamp-1')],
    ])('is refused to %s: %s', async (_name, code, happen) => {
      await happen();
      await expect(renew()).rejects.toThrowError(coded(code));
    });

    it.each<[string, string, () => Promise<unknown>]>([
      ['revoked', 'identity.certificate_revoked', () => world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise')],
      ['suspended', 'identity.device_suspended', () => world.registry.suspend(ADMIN, 'lamp-1')],
    ])('gives nothing to a device that is %s while its certificate is signed', async (_name, code, happen) => {
      const { authority, clock, opened, repositories } = world;
      const { store, audit, outbox } = opened;
      const enrollment = new Enrollment({
        ...repositories,
        clock,
        store,
        audit,
        outbox,
        random: systemRandom,
        hooks: NO_HOOKS,
        authority: {
          async issue(...order) {
            await happen();
            return authority.issue(...order);
          },
        },
      });
      await expect(enrollment.renew(device, await makeCsr(), EST)).rejects.toThrowError(coded(code));
      const states = (await repositories.certificates.ofDevice('default', 'lamp-1')).map(({ state }) => state);
      expect(states).not.toContain('successor');
    });

    it("is refused with another device's key or name, and with a certificate of another device", async () => {
      const claim = await world.addClaim({ serials: ['lamp-2'] });
      const other = await generatePrivateKey('P-256');
      await world.enrollment.enrollDirect(claim, await makeCsr({ key: other }), EST);
      await expect(renew(device, other)).rejects.toThrowError(coded('identity.key_reuse'));
      const foreign = await makeCsr({ names: [{ kind: 'uri', text: deviceUri('default', 'lamp-2') }] });
      await expect(world.enrollment.renew(device, foreign, EST)).rejects.toThrowError(coded('identity.foreign_name'));
      await expect(renew({ ...device, deviceId: 'lamp-2' })).rejects.toThrowError(
        coded('identity.unknown_certificate'),
      );
    });

    it('leaves one working certificate when two connections use the new one at once', async () => {
      const next = await renew(device, await generatePrivateKey('P-256'));
      expect(await Promise.all([verdictOf(next), verdictOf(next), verdictOf(next)])).toEqual(Array(3).fill('device'));
      const states = (await world.repositories.certificates.ofDevice('default', 'lamp-1')).map(({ state }) => state);
      expect([...states].sort()).toEqual(['active', 'superseded']);
    });
  });

  describe('revocation', () => {
    it('of a device takes every certificate and states one event for each', async () => {
      const next = fingerprint(await world.enrollment.renew(device, await makeCsr(), EST));
      const outcome = await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
      expect(outcome).toMatchObject({ kind: 'revoked', subject: 'lamp-1' });
      expect([...outcome.certificates].sort()).toEqual([device.fingerprint, next].sort());
      expect(await events()).toEqual(
        expect.arrayContaining([
          'device.revoked lamp-1',
          `certificate.revoked ${device.fingerprint}`,
          `certificate.revoked ${next}`,
        ]),
      );
      expect(await verdictOf(next)).toBe('identity.certificate_revoked');
    });

    it('may be repeated: the event goes out again, the log does not grow', async () => {
      await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise');
      const logged = (await world.audit()).length;
      expect(await world.revocation.device(ADMIN, 'lamp-1', 'keyCompromise')).toEqual({
        kind: 'already-revoked',
        subject: 'lamp-1',
        certificates: [],
      });
      expect(await world.audit()).toHaveLength(logged);
      expect((await events()).filter((event) => event === 'device.revoked lamp-1')).toHaveLength(2);
      await world.revocation.certificate(ADMIN, device.fingerprint, 'keyCompromise');
      expect((await events()).filter((event) => event === `certificate.revoked ${device.fingerprint}`)).toHaveLength(2);
    });

    it('of a certificate that was replaced does not speak of its device, whose session is another', async () => {
      const next = fingerprint(await world.enrollment.renew(device, await makeCsr(), EST));
      await identify(next);
      await world.revocation.certificate(ADMIN, device.fingerprint, 'keyCompromise');
      await world.revocation.certificate(ADMIN, next, 'keyCompromise');
      const told = (await world.opened.events.since(0, 1000)).filter(({ name }) => name === 'certificate.revoked');
      expect(told.map(({ subject, data }) => [subject, data['deviceId']])).toEqual([
        [device.fingerprint, null],
        [next, 'lamp-1'],
      ]);
    });

    it('of a claim leaves the devices it enrolled', async () => {
      const claim = await world.addClaim({ serials: ['lamp-2'] });
      const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), EST);
      await world.claims.cancel(ADMIN, claim.claimId);
      expect(await verdictOf(fingerprint(certificateDer))).toBe('device');
      expect(await events()).toContain(`claim.revoked ${claim.claimId}`);
    });

    it('of what is unknown, or of another tenant, is refused', async () => {
      const stranger = { ...ADMIN, tenant: 'other' };
      await expect(world.revocation.device(ADMIN, 'nobody', 'unspecified')).rejects.toThrowError(
        coded('identity.unknown_device'),
      );
      await expect(world.revocation.device(stranger, 'lamp-1', 'unspecified')).rejects.toThrowError(
        coded('identity.unknown_device'),
      );
      await expect(world.revocation.certificate(stranger, device.fingerprint, 'unspecified')).rejects.toThrowError(
        coded('identity.unknown_certificate'),
      );
      expect(await verdictOf(device.fingerprint)).toBe('device');
    });
  });

  it('names the quarantine in the registry, for an operator to read', async () => {
    const finding = { code: 'identity.clone_suspected', words: 'two connections', details: { firstAddress: 'a' } };
    await world.registry.quarantine({ kind: 'system', tenant: 'default' }, 'lamp-1', finding);
    await world.registry.quarantine({ kind: 'system', tenant: 'default' }, 'lamp-1', finding);
    expect(await world.registry.show('default', 'lamp-1')).toMatchObject({
      state: 'quarantined',
      stateReason: 'two connections',
    });
    const entries = (await world.audit()).filter(({ action }) => action === 'device.quarantined');
    expect(entries.map(({ details }) => JSON.parse(details))).toEqual([
      { code: 'identity.clone_suspected', firstAddress: 'a' },
    ]);
    expect(await events()).toContain('device.quarantined lamp-1');
  });

  it('refuses acts that the lifecycle does not know', async () => {
    await expect(world.registry.readmit(ADMIN, 'lamp-1')).rejects.toThrowError(coded('kernel.invalid_transition'));
    await expect(world.registry.archive(ADMIN, 'lamp-1')).rejects.toThrowError(coded('kernel.invalid_transition'));
    await world.registry.suspend(ADMIN, 'lamp-1');
    await expect(world.registry.suspend(ADMIN, 'lamp-1')).rejects.toThrowError(coded('kernel.invalid_transition'));
  });
});
