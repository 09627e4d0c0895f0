import { fingerprint } from '@holdfast/crypto';
import { encodeHex } from '@holdfast/kernel';
import type { ProductRecord } from '@holdfast/trust/ports';
import type { AttestationResult } from '@holdfast/trust/posture';
import type { DevicePrincipal } from '@holdfast/trust/principal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BootSituation, digestOf, EvidenceDevice } from '../testing/evidence-device.ts';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const MINUTE_MS = 60_000;

describe('attestation', () => {
  let world: IdentityWorld;
  let principal: DevicePrincipal;
  const device = new EvidenceDevice(1);
  const stranger = new EvidenceDevice(2);

  beforeEach(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    principal = await admit('lamp-1', device);
    await sign({ image: 1, version: '1.0.0', counter: 1 });
    await sign({ image: 2, version: '2.0.0', counter: 2 });
  });
  afterEach(() => world.opened.close());

  async function admit(deviceId: string, hardware: EvidenceDevice | undefined, product = 'lamp') {
    await world.registry.establish(ADMIN, {
      deviceId,
      product,
      hardwareRevision: 'rev-a',
      ...(hardware ? { ueid: encodeHex(hardware.ueid), attestationAnchor: hardware.anchorSpki } : {}),
    });
    const claim = await world.addClaim({ serials: [deviceId], product });
    const { certificateDer } = await world.enrollment.enrollDirect(claim, await makeCsr(), connection('c', 'est'));
    return { kind: 'device', tenant: 'default', deviceId, fingerprint: fingerprint(certificateDer) } as const;
  }

  const sign = async (
    image: Required<Pick<BootSituation, 'image' | 'version' | 'counter'>>,
    hardwareRevision = 'rev-a',
  ) =>
    world.opened.store.commit([
      world.referenceValues.recording({
        tenant: 'default',
        product: 'lamp',
        digest: digestOf(image.image),
        hardwareRevision,
        version: image.version,
        counter: image.counter,
        releaseId: `r-${image.image}`,
      }),
    ]);
  const nonce = async (of = principal) => (await world.attestation.challenge(of)).nonce;
  const prove = async (situation: BootSituation = {}, of = principal): Promise<AttestationResult> =>
    world.attestation.appraise(of, device.evidence(await nonce(of), situation));
  const newest: BootSituation = { image: 2, version: '2.0.0', counter: 2 };
  const events = async () => (await world.opened.events.since(0, 1000)).map(({ name, data }) => ({ name, ...data }));

  it('believes firmware that was signed here and lets a device keep what it boots on trial', async () => {
    expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'unproven', rights: 'restricted' });
    const trial = await prove({ ...newest, bootState: 'test' });
    expect(trial).toMatchObject({ kind: 'accepted', posture: 'proven', reasons: [], proceed: 'confirm' });
    const kept = await prove({ ...newest, bootState: 'confirmed' });
    expect(kept).toMatchObject({
      kind: 'accepted',
      proceed: 'none',
      evidence: { digest: digestOf(2), version: '2.0.0', counter: 2, bootState: 'confirmed', releaseId: 'r-2' },
    });
    expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'proven', rights: 'full' });
    const told = await events();
    expect(told.filter(({ name }) => name === 'evidence.accepted')).toHaveLength(2);
    expect(told.filter(({ name }) => name === 'posture.changed')).toEqual([
      { name: 'posture.changed', from: 'unproven', to: 'proven', reasons: '' },
    ]);
  });

  describe('refuses', () => {
    const attacks: readonly [string, string, () => Promise<Uint8Array>][] = [
      [
        'evidence that was shown before',
        'posture.nonce_unknown',
        async () => {
          const token = device.evidence(await nonce());
          await world.attestation.appraise(principal, token);
          return token;
        },
      ],
      ['a nonce nobody gave', 'posture.nonce_unknown', async () => device.evidence(new Uint8Array(32))],
      [
        "another device's nonce",
        'posture.nonce_unknown',
        async () => device.evidence(await nonce(await admit('lamp-2', stranger))),
      ],
      [
        'a nonce of five minutes ago',
        'posture.nonce_expired',
        async () => {
          const given = await nonce();
          world.clock.advance(5 * MINUTE_MS);
          return device.evidence(given);
        },
      ],
      [
        'a nonce from before the clock was set back',
        'posture.nonce_expired',
        async () => {
          const given = await nonce();
          world.clock.jump(-MINUTE_MS);
          return device.evidence(given);
        },
      ],
      [
        'the oldest of five open challenges',
        'posture.nonce_unknown',
        async () => {
          const first = await nonce();
          for (let i = 0; i < 4; i++) {
            world.clock.advance(1);
            await nonce();
          }
          return device.evidence(first);
        },
      ],
      [
        'old firmware that claims the new version',
        'posture.evidence_forged',
        async () => device.evidence(await nonce(), { image: 1 }, { softwareVersion: '2.0.0' }),
      ],
      [
        'old firmware that certifies the new measurement itself',
        'posture.evidence_forged',
        async () => device.evidence(await nonce(), { image: 1 }, { measured: newest, softwareVersion: '2.0.0' }),
      ],
      [
        'firmware on trial that claims to be confirmed',
        'posture.evidence_forged',
        async () => device.evidence(await nonce(), { ...newest, bootState: 'test' }, { bootState: 'confirmed' }),
      ],
      ['evidence of another device', 'posture.evidence_forged', async () => stranger.evidence(await nonce())],
      [
        "another device's name",
        'posture.wrong_device',
        async () => device.evidence(await nonce(), {}, { ueid: stranger.ueid }),
      ],
      [
        'a device with debug access',
        'posture.debug_open',
        async () => device.evidence(await nonce(), { mode: 'debug' }),
      ],
      [
        'a flipped bit in the signature',
        'posture.evidence_forged',
        async () => {
          const token = device.evidence(await nonce());
          return token.with(token.length - 1, (token.at(-1) ?? 0) ^ 1);
        },
      ],
      ['bytes that are no token', 'posture.evidence_malformed', async () => Uint8Array.of(1, 2, 3)],
      ['no bytes', 'posture.evidence_malformed', async () => new Uint8Array()],
      ['more than 16 KiB', 'posture.evidence_malformed', async () => new Uint8Array(16 * 1024 + 1)],
    ];

    it.each(attacks)('%s: %s', async (_name, code, attack) => {
      const token = await attack();
      const before = await world.postures.postureOf(principal);
      expect(await world.attestation.appraise(principal, token)).toMatchObject({ kind: 'refused', code });
      expect(await world.postures.postureOf(principal)).toEqual(before);
      const last = (await world.audit()).at(-1);
      expect(last).toMatchObject({ action: 'evidence.refused', subject: 'lamp-1' });
      expect(JSON.parse(last?.details ?? '')).toMatchObject({ code });
    });

    it('a device without an anchor of the factory step', async () => {
      const bare = await admit('lamp-3', undefined);
      const token = device.evidence(await nonce(bare));
      expect(await world.attestation.appraise(bare, token)).toMatchObject({ code: 'posture.no_anchor' });
    });

    it('without end, but does not let one device fill the log with it', async () => {
      const refusals = async () => (await world.audit()).filter(({ action }) => action === 'evidence.refused');
      for (let i = 0; i < 60; i++) await world.attestation.appraise(principal, Uint8Array.of(i));
      expect(await refusals()).toHaveLength(50);
      world.clock.advance(MINUTE_MS);
      expect(await world.attestation.appraise(principal, Uint8Array.of(1))).toMatchObject({ kind: 'refused' });
      expect(JSON.parse((await refusals()).at(-1)?.details ?? '')).toMatchObject({ unlogged: 10 });
    });

    it('a nonce whose evidence was refused, on a second try', async () => {
      const given = await nonce();
      await world.attestation.appraise(principal, stranger.evidence(given));
      expect(await world.attestation.appraise(principal, device.evidence(given))).toMatchObject({
        code: 'posture.nonce_unknown',
      });
    });

    it('all but one of several answers to one nonce at once', async () => {
      const token = device.evidence(await nonce());
      const results = await Promise.all([1, 2, 3, 4].map(() => world.attestation.appraise(principal, token)));
      expect(results.map(({ kind }) => kind).sort()).toEqual(['accepted', 'refused', 'refused', 'refused']);
    });
  });

  describe('judges', () => {
    it.each<[string, BootSituation, string, string, 'confirm' | 'none']>([
      ['firmware never signed here', { image: 9 }, 'restricted', 'posture.firmware_unknown', 'none'],
      [
        'a counter that is not the image’s',
        { image: 2, version: '2.0.0', counter: 1 },
        'restricted',
        'posture.counter_mismatch',
        'none',
      ],
      ['a counter above any signed', { image: 9, counter: 3 }, 'quarantined', 'posture.counter_beyond_signed', 'none'],
      [
        'firmware for other hardware',
        { image: 3, version: '1.5.0', counter: 2 },
        'restricted',
        'posture.wrong_hardware',
        'none',
      ],
      [
        'safe mode',
        { image: 9, bootState: 'recovery', mode: 'recovery', counter: 0 },
        'restricted',
        'posture.recovery',
        'none',
      ],
    ])('%s', async (_name, situation, posture, reason, proceed) => {
      await sign({ image: 3, version: '1.5.0', counter: 2 }, 'rev-b');
      const result = await prove({ bootState: 'test', ...situation });
      expect(result).toMatchObject({ kind: 'accepted', posture, proceed });
      expect(result.reasons.map(({ code }) => code)).toContain(reason);
      expect(result.reasons.every(({ words }) => words.length > 20)).toBe(true);
    });

    it('restricts and restores as firmware changes, stating each change once', async () => {
      await prove({ image: 9 });
      await prove({ image: 9 });
      await prove(newest);
      const changes = (await events()).filter(({ name }) => name === 'posture.changed');
      expect(changes).toMatchObject([
        { from: 'unproven', to: 'restricted' },
        { from: 'restricted', to: 'proven' },
      ]);
    });
  });

  it('quarantines with the registry, so that no door lets the device in until an operator does', async () => {
    await prove({ image: 9, counter: 3 });
    expect(await world.peers.identify(principal.fingerprint, world.clock.now())).toMatchObject({
      code: 'identity.device_quarantined',
    });
    expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'quarantined', rights: 'none' });
    await expect(world.attestation.challenge(principal)).rejects.toThrowError(coded('identity.device_quarantined'));
    await world.registry.readmit(ADMIN, 'lamp-1');
    expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'unproven', rights: 'restricted' });
    expect(await prove(newest)).toMatchObject({ kind: 'accepted', posture: 'proven' });
  });

  it('has a device that an operator took back prove itself anew, and believes what it shows since', async () => {
    await prove(newest);
    await world.registry.suspend(ADMIN, 'lamp-1');
    world.clock.advance(1);
    await world.registry.readmit(ADMIN, 'lamp-1');
    const at = world.clock.now();
    await world.postures.readmitted('default', 'lamp-1', at);
    const started = await world.postures.postureOf(principal);
    expect(started).toMatchObject({ posture: 'unproven', rights: 'restricted', evidence: undefined });
    expect((await events()).at(-1)).toMatchObject({ name: 'posture.changed', from: 'proven', to: 'unproven' });
    world.clock.advance(1);
    await prove(newest);
    await world.postures.readmitted('default', 'lamp-1', at);
    expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'proven', rights: 'full' });
  });

  it('leaves a device of a product that asks for no evidence its rights', async () => {
    await world.addProduct('toy', 'none');
    const toy = await admit('toy-1', undefined, 'toy');
    expect(await world.postures.postureOf(toy)).toMatchObject({ posture: 'unproven', rights: 'full' });
  });

  describe('the minimum of a product', () => {
    const raise = (wish: { version?: string; counter?: number }) =>
      world.products.raiseMinimum(ADMIN, 'lamp', { ...wish, reason: 'CVE' });

    it('is raised by an act of its own, after a preview of whom it restricts', async () => {
      await prove({ image: 1 });
      await sign({ image: 4, version: '3.0.0', counter: 9 });
      expect(await world.postures.postureOf(principal)).toMatchObject({ posture: 'proven' });
      const preview = await world.products.previewMinimum('default', 'lamp', { version: '2.0.0' });
      expect(preview).toEqual({ restricts: 1, devices: ['lamp-1'] });
      expect((await raise({ version: '2.0.0' })).restricted).toEqual(preview);
      const entry = (await world.audit()).at(-1);
      expect(entry).toMatchObject({ action: 'product.minimum_raised', subject: 'lamp' });
      expect(JSON.parse(entry?.details ?? '')).toMatchObject({ version: '2.0.0', restricts: 1, reason: 'CVE' });
    });

    it('bites at once, states each restriction, and is lifted by newer evidence', async () => {
      await prove({ image: 1 });
      await raise({ counter: 2 });
      const posture = await world.postures.postureOf(principal);
      expect(posture).toMatchObject({ posture: 'restricted', rights: 'restricted' });
      expect(posture.reasons[0]?.words).toBe('it runs 1.0.0; lamp needs at least security counter 2');
      expect(await world.postures.productChanged('default', 'lamp')).toBe(1);
      expect(await world.postures.productChanged('default', 'lamp')).toBe(0);
      expect((await events()).at(-1)).toMatchObject({
        from: 'proven',
        to: 'restricted',
        reasons: 'posture.below_minimum',
      });
      expect(await prove({ image: 1, bootState: 'test' })).toMatchObject({ posture: 'restricted', proceed: 'confirm' });
      expect(await prove(newest)).toMatchObject({ posture: 'proven' });
    });

    it.each([
      ['nothing', {}, 'posture.minimum_not_raised'],
      ['the same', { counter: 1 }, 'posture.minimum_not_raised'],
      ['less', { counter: 0 }, 'posture.minimum_not_raised'],
      ['more in one and less in the other', { version: '2.0.0', counter: 0 }, 'posture.minimum_not_raised'],
      ['what no release reaches', { version: '2.0.1' }, 'posture.minimum_unpublished'],
      ['a counter no release reaches', { counter: 3 }, 'posture.minimum_unpublished'],
      ['no version', { version: 'newest' }, 'boot.bad_version'],
    ])('is not moved to %s', async (_name, wish, code) => {
      await raise({ counter: 1 });
      await expect(raise(wish)).rejects.toThrowError(coded(code));
    });
  });

  it('changes what a product asks of its devices only with a reason in the log', async () => {
    const changed: ProductRecord = await world.products.setEvidence(ADMIN, 'lamp', {
      evidence: 'none',
      reason: 'pilot',
    });
    expect(changed.evidence).toBe('none');
    const entry = (await world.audit()).at(-1);
    expect(entry?.action).toBe('product.evidence_set');
    expect(JSON.parse(entry?.details ?? '')).toEqual({ evidence: 'none', reason: 'pilot' });
    expect((await world.products.show('default', 'lamp')).evidence).toBe('none');
  });

  it.each([
    ['a name with a slash', { name: 'a/b' }],
    ['a name of 37 characters', { name: 'x'.repeat(37) }],
    ['a name no manifest can state', { name: '-lock' }],
    ['no hardware revision', { hardwareRevisions: [] }],
    ['a hardware revision no manifest can state', { hardwareRevisions: ['rev-a', 'rev b'] }],
    ['certificates that live for years', { certificateDays: 366 }],
  ])('makes no product with %s', async (_name, change) => {
    const wish = { name: 'lock', hardwareRevisions: ['rev-a'], evidence: 'required', ...change } as const;
    await expect(world.products.create(ADMIN, wish)).rejects.toThrowError(coded('identity.bad_product'));
  });
});
