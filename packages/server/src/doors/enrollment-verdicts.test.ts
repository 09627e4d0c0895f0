import { generateKeyPairSync } from 'node:crypto';
import { createCsr, createSigner, generatePrivateKey, importPrivateKey, PrivateKey } from '@holdfast/crypto';
import { encodeBase64, HoldfastError, silentLog } from '@holdfast/kernel';
import {
  CLAIM_RULES,
  deviceUri,
  type EnrollmentContext,
  KEY_RULES,
  REGISTRATION_RULES,
  ServerIdentity,
} from '@holdfast/trust/identity';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPENSSL_REQUESTS } from '../testing/csr-vectors.ts';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

interface Attempt {
  readonly claim: ClaimPrincipal;
  readonly csr: Uint8Array;
  /** The one serial number the claim lists. */
  readonly serial: string;
  readonly template?: string;
  readonly binding?: Uint8Array;
}

interface Row {
  readonly name: string;
  /** Rule of the policy table that this row breaks. */
  readonly rule?: string;
  readonly code: string;
  readonly prepare: (world: IdentityWorld, serial: string) => Promise<Partial<Attempt>>;
}

type Door = (world: IdentityWorld, attempt: Attempt) => Promise<string>;

const contextFor = (attempt: Attempt, door: EnrollmentContext['door']): EnrollmentContext => ({
  ...connection('c1', door),
  template: attempt.template,
  ...(attempt.binding === undefined ? {} : { channelBinding: () => ({ bytes: attempt.binding ?? new Uint8Array() }) }),
});

/** Every way in. A rule that only one of them knows fails the table. */
const DOORS: Readonly<Record<string, Door>> = {
  'AWS fleet provisioning': async ({ enrollment }, attempt) => {
    const context = contextFor(attempt, 'aws-claim');
    const { ownershipToken } = await enrollment.createCertificate(attempt.claim, { csrDer: attempt.csr }, context);
    const wish = {
      template: attempt.template ?? 'default',
      ownershipToken,
      parameters: { SerialNumber: attempt.serial },
    };
    return (await enrollment.registerThing(attempt.claim, wish, context)).deviceId;
  },
  EST: async ({ enrollment }, attempt) =>
    (await enrollment.enrollDirect(attempt.claim, attempt.csr, contextFor(attempt, 'est'))).deviceId,
};

const enrolled = async (world: IdentityWorld, serial: string): Promise<PrivateKey> => {
  const key = await generatePrivateKey('P-256');
  const claim = await world.addClaim({ serials: [serial] });
  await world.enrollment.enrollDirect(claim, await makeCsr({ key }), connection('factory', 'est'));
  return key;
};

const established = (world: IdentityWorld, deviceId: string, product = 'lamp') =>
  world.registry.establish(ADMIN, { deviceId, product, hardwareRevision: 'rev-a' });

const flipped = (csr: Uint8Array, at: number): Uint8Array => csr.with(at, (csr.at(at) ?? 0) ^ 1);

const rsa = (modulusLength: number, publicExponent: number): PrivateKey =>
  new PrivateKey(generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey);

const uri = (text: string) => makeCsr({ names: [{ kind: 'uri', text }] });

const ROWS: readonly Row[] = [
  { name: 'a device nobody knew, by a claim that may create it', code: 'allowed', prepare: async () => ({}) },
  {
    name: 'a device of the factory step, by a claim that may create none',
    code: 'allowed',
    prepare: async (world, serial) => {
      await established(world, serial);
      return { claim: await world.addClaim({ serials: [serial], autoRegister: false }) };
    },
  },
  {
    name: 'a subject full of other names, which is not looked at',
    code: 'allowed',
    prepare: async () => ({ csr: await makeCsr({ commonName: 'lamp-9","isCA":true,"x":"' }) }),
  },
  {
    name: 'the name the registry would give anyway',
    code: 'allowed',
    prepare: async (_world, serial) => ({ csr: await uri(deviceUri('default', serial)) }),
  },
  {
    name: 'a request that is bound to its connection',
    code: 'allowed',
    prepare: async () => ({
      binding: Uint8Array.of(1, 2, 3),
      csr: await makeCsr({ challengePassword: encodeBase64(Uint8Array.of(1, 2, 3)) }),
    }),
  },
  {
    name: 'a device that was revoked and re-admitted, with a fresh key and a new claim',
    code: 'allowed',
    prepare: async (world, serial) => {
      await enrolled(world, serial);
      await world.revocation.device(ADMIN, serial, 'cessationOfOperation');
      await world.registry.readmit(ADMIN, serial);
      return { claim: await world.addClaim({ serials: [serial] }) };
    },
  },
  {
    name: 'a re-admitted device with the key it had, which was not stolen',
    code: 'allowed',
    prepare: async (world, serial) => {
      const key = await enrolled(world, serial);
      await world.revocation.device(ADMIN, serial, 'cessationOfOperation');
      await world.registry.readmit(ADMIN, serial);
      return { claim: await world.addClaim({ serials: [serial] }), csr: await makeCsr({ key }) };
    },
  },
  {
    name: 'a cancelled claim',
    rule: 'claim-not-cancelled',
    code: 'identity.claim_revoked',
    prepare: async (world, serial) => {
      const claim = await world.addClaim({ serials: [serial] });
      await world.claims.cancel(ADMIN, claim.claimId);
      return { claim };
    },
  },
  {
    name: 'an expired claim',
    rule: 'claim-in-time',
    code: 'identity.claim_expired',
    prepare: async (world, serial) => {
      const claim = await world.addClaim({ serials: [serial], expiresAt: world.clock.now() + 1000 });
      world.clock.advance(1000);
      return { claim };
    },
  },
  {
    name: 'a claim of a product that is gone',
    rule: 'claim-of-a-product',
    code: 'identity.unknown_product',
    prepare: async (world, serial) => {
      const claim = await world.addClaim({ serials: [serial] });
      const row = await world.repositories.claims.find('default', claim.claimId);
      if (!row) throw new TypeError('no claim');
      const claimId = `${row.claimId}f`;
      await world.opened.store.commit([
        world.repositories.claims.inserting({ ...row, claimId, product: 'gone' }),
        world.repositories.claims.listing('default', claimId, serial),
      ]);
      return { claim: { ...claim, claimId } };
    },
  },
  {
    name: 'a claim that registered its device already, with another key',
    rule: 'within-quota',
    code: 'identity.claim_used_up',
    prepare: async (world, serial) => {
      const claim = await world.addClaim({ serials: [serial] });
      await world.enrollment.enrollDirect(claim, await makeCsr(), connection('first', 'est'));
      return { claim };
    },
  },
  {
    name: 'a request with a bit of its key flipped',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: flipped(await makeCsr(), 80) }),
  },
  {
    name: 'a request with a bit of its signature flipped',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: flipped(await makeCsr(), -1) }),
  },
  {
    name: 'bytes that are no request',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: Uint8Array.of(0x30, 0) }),
  },
  {
    name: 'a key on P-192',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.p192 }),
  },
  {
    name: 'a curve that is spelt out',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.explicitCurve }),
  },
  {
    name: 'an RSA key of 1,024 bits',
    rule: 'strong-key',
    code: 'identity.weak_key',
    prepare: async () => ({ csr: await makeCsr({ key: rsa(1024, 65_537) }) }),
  },
  {
    name: 'an RSA key with exponent 3',
    rule: 'strong-key',
    code: 'identity.weak_key',
    prepare: async () => ({ csr: await makeCsr({ key: rsa(2048, 3) }) }),
  },
  {
    name: 'the wish to be an authority',
    rule: 'no-authority',
    code: 'identity.ca_requested',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.authority }),
  },
  {
    name: 'the wish to sign certificates',
    rule: 'no-authority',
    code: 'identity.ca_requested',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.certSigner }),
  },
  {
    name: "another device's name",
    rule: 'own-name-only',
    code: 'identity.foreign_name',
    prepare: async () => ({ csr: await uri(deviceUri('default', 'lamp-9')) }),
  },
  {
    name: 'the name of a host',
    rule: 'own-name-only',
    code: 'identity.foreign_name',
    prepare: async () => ({ csr: await makeCsr({ names: [{ kind: 'dns', text: 'localhost' }] }) }),
  },
  {
    name: 'a request made for another connection',
    rule: 'bound-to-connection',
    code: 'identity.channel_binding',
    prepare: async () => ({
      binding: Uint8Array.of(1, 2, 3),
      csr: await makeCsr({ challengePassword: encodeBase64(Uint8Array.of(3, 2, 1)) }),
    }),
  },
  {
    name: 'the key of a device in the field',
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world, serial) => ({ csr: await makeCsr({ key: await enrolled(world, `${serial}-other`) }) }),
  },
  {
    name: 'the key of a revoked device',
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world, serial) => {
      const key = await enrolled(world, `${serial}-other`);
      await world.revocation.device(ADMIN, `${serial}-other`, 'keyCompromise');
      return { csr: await makeCsr({ key }) };
    },
  },
  {
    name: 'a stolen key after its device was re-admitted',
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world, serial) => {
      const key = await enrolled(world, serial);
      await world.revocation.device(ADMIN, serial, 'keyCompromise');
      await world.registry.readmit(ADMIN, serial);
      return { claim: await world.addClaim({ serials: [serial] }), csr: await makeCsr({ key }) };
    },
  },
  {
    name: 'the key of a re-admitted device under another serial number',
    rule: 'key-of-this-device',
    code: 'identity.key_reuse',
    prepare: async (world, serial) => {
      const key = await enrolled(world, `${serial}-other`);
      await world.revocation.device(ADMIN, `${serial}-other`, 'cessationOfOperation');
      await world.registry.readmit(ADMIN, `${serial}-other`);
      return { csr: await makeCsr({ key }) };
    },
  },
  {
    name: "the claim's own key",
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world, serial) => {
      const expiresAt = world.clock.now() + 3_600_000;
      const created = await world.claims.create(ADMIN, { product: 'lamp', serials: [serial], expiresAt });
      const { tenant, claimId, fingerprint } = created.claim;
      const key = importPrivateKey(created.privateKeyPkcs8);
      return { claim: { kind: 'claim', tenant, claimId, fingerprint }, csr: await makeCsr({ key }) };
    },
  },
  {
    name: 'the key of a server',
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world) => {
      const { authority, clock, repositories } = world;
      const server = new ServerIdentity({ authority, clock, log: silentLog, keyOwners: repositories.keyOwners }, []);
      const { privateKey: key } = await server.start();
      server.close();
      return { csr: await makeCsr({ key }) };
    },
  },
  {
    name: 'the key of the issuing authority',
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world) => ({
      csr: await createCsr({ subject: [{ type: 'commonName', value: 'x' }] }, world.authority.revocationSigner.signer),
    }),
  },
  {
    name: 'the template of another product',
    rule: 'template-of-the-claim',
    code: 'identity.wrong_template',
    prepare: async () => ({ template: 'lock' }),
  },
  ...(['revoked', 'suspended', 'quarantined', 'archived'] as const).map(
    (state): Row => ({
      name: `the serial number of a ${state} device`,
      rule: `not-${state}`,
      code: `identity.device_${state}`,
      prepare: async (world, serial) => {
        await enrolled(world, serial);
        if (state === 'suspended') await world.registry.suspend(ADMIN, serial);
        else if (state === 'quarantined') {
          await world.registry.quarantine(ADMIN, serial, { code: 'x', words: 'x', details: {} });
        } else await world.revocation.device(ADMIN, serial, 'keyCompromise');
        if (state === 'archived') await world.registry.archive(ADMIN, serial);
        return { claim: await world.addClaim({ serials: [serial] }) };
      },
    }),
  ),
  {
    name: 'the serial number of a device in the field',
    rule: 'no-second-certificate',
    code: 'identity.device_has_certificate',
    prepare: async (world, serial) => {
      await enrolled(world, serial);
      return { claim: await world.addClaim({ serials: [serial] }) };
    },
  },
  {
    name: 'a device whose certificate alone was revoked, before an operator re-admits it',
    rule: 'enrolled-once',
    code: 'identity.readmission_required',
    prepare: async (world, serial) => {
      await enrolled(world, serial);
      const [certificate] = await world.repositories.certificates.ofDevice('default', serial);
      await world.revocation.certificate(ADMIN, certificate?.fingerprint ?? '', 'superseded');
      return { claim: await world.addClaim({ serials: [serial] }) };
    },
  },
  {
    name: 'a device of another product',
    rule: 'device-of-the-product',
    code: 'identity.wrong_product',
    prepare: async (world, serial) => {
      await established(world, serial, 'lock');
      return {};
    },
  },
  {
    name: 'a serial number that is the name of another device',
    rule: 'name-is-free',
    code: 'identity.device_exists',
    prepare: async (world, serial) => {
      await world.registry.establish(ADMIN, {
        deviceId: serial,
        serialNumber: `${serial}-printed`,
        product: 'lamp',
        hardwareRevision: 'rev-a',
      });
      return {};
    },
  },
  {
    name: 'an unknown device, by a claim that may create none',
    rule: 'known-device',
    code: 'identity.device_not_established',
    prepare: async (world, serial) => ({ claim: await world.addClaim({ serials: [serial], autoRegister: false }) }),
  },
];

/** Rules that the rows above cannot reach through every door, and where they are tested. */
const ELSEWHERE = ['plain-serial', 'listed-serial', 'serial-once'];

describe.each(Object.keys(DOORS))('enrollment through %s', (doorName) => {
  let world: IdentityWorld;
  const door = DOORS[doorName];

  beforeAll(async () => {
    world = await openIdentityWorld();
    await world.addProduct('lamp');
    await world.addProduct('lock');
  });
  afterAll(() => world.opened.close());

  it.each(ROWS.map((row, index) => ({ ...row, serial: `lamp-${index}` })))('answers $code to $name', async (row) => {
    const prepared = await row.prepare(world, row.serial);
    const attempt: Attempt = {
      claim: prepared.claim ?? (await world.addClaim({ serials: [row.serial] })),
      csr: prepared.csr ?? (await makeCsr()),
      serial: row.serial,
      ...prepared,
    };
    const before = await world.repositories.devices.find('default', row.serial);
    const verdict = await door?.(world, attempt).then(
      (deviceId) => (deviceId === row.serial ? 'allowed' : deviceId),
      (error: unknown) => (HoldfastError.is(error) ? error.code : error),
    );
    expect(verdict).toBe(row.code);
    const last = (await world.audit()).at(-1);
    if (row.code === 'allowed') {
      expect(last).toMatchObject({ action: 'device.enrolled', subject: row.serial });
      return;
    }
    expect(last?.action).toBe(row.code === 'identity.key_reuse' ? 'key.reuse' : 'enrollment.refused');
    expect(JSON.parse(last?.details ?? '{}')).toMatchObject({
      code: row.code,
      ...(row.rule ? { rule: row.rule } : {}),
    });
    expect(await world.repositories.devices.find('default', row.serial)).toEqual(before);
  });
});

it('has a row for every rule of the policy tables', () => {
  const rules = [...KEY_RULES, ...REGISTRATION_RULES, ...CLAIM_RULES].map(({ rule }) => rule);
  const covered = new Set([...ROWS.map(({ rule }) => rule), ...ELSEWHERE]);
  expect(rules.filter((rule) => !covered.has(rule))).toEqual([]);
});

it('makes the same certificate of a request whatever the request asked for', async () => {
  const world = await openIdentityWorld();
  await world.addProduct('lamp');
  const claim = await world.addClaim({ serials: ['lamp-1'] });
  const csr = await createCsr(
    {
      subject: [
        { type: 'commonName', value: 'admin' },
        { type: 'organization', value: 'Evil "}\\u0000' },
      ],
    },
    createSigner(await generatePrivateKey('P-256')),
  );
  const { certificateDer } = await world.enrollment.enrollDirect(claim, csr, connection('c', 'est'));
  const text = Buffer.from(certificateDer).toString('latin1');
  expect(text).not.toContain('admin');
  expect(text).not.toContain('Evil');
  expect(text).toContain('urn:holdfast:default:device:lamp-1');
  await world.opened.close();
});
