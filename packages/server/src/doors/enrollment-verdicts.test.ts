import { generateKeyPairSync } from 'node:crypto';
import { createCsr, createSigner, generatePrivateKey, importPrivateKey, PrivateKey } from '@holdfast/crypto';
import { encodeBase64, HoldfastError, silentLog } from '@holdfast/kernel';
import {
  type CertificateWish,
  CLAIM_RULES,
  deviceUri,
  type EnrollmentContext,
  KEY_RULES,
  REGISTRATION_RULES,
  ServerIdentity,
} from '@holdfast/trust/identity';
import type { EnrollmentTerms, OneTimePassword } from '@holdfast/trust/ports';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPENSSL_REQUESTS } from '../testing/csr-vectors.ts';
import { CLAIMLESS_DOORS } from '../testing/claimless-doors.ts';
import { TEMPLATE_ROWS, VERDICT_HOOKS } from '../testing/template-verdicts.ts';
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
  /** What it takes to get here: some doors have no request, or certify no key of it. */
  readonly about?: 'request' | 'key' | 'server-key';
  /** Rule of the policy table that this row breaks. */
  readonly rule?: string;
  readonly code: string;
  /** Action of the audit entry, where it is no refusal. */
  readonly audit?: string;
  readonly prepare: (world: IdentityWorld, serial: string) => Promise<Partial<Attempt>>;
}

interface Door {
  readonly lacks: readonly Row['about'][];
  /** The rules that concern a door no claim opens. */
  readonly only?: ReadonlySet<string>;
  readonly enter: (world: IdentityWorld, attempt: Attempt) => Promise<string>;
}

const contextFor = (attempt: Attempt, door: EnrollmentContext['door']): EnrollmentContext => ({
  ...connection('c1', door),
  template: attempt.template,
  ...(attempt.binding === undefined
    ? {}
    : { channelBinding: () => ({ kind: 'tls-unique', bytes: attempt.binding ?? new Uint8Array() }) }),
});

const fleet =
  (wishOf: (attempt: Attempt) => CertificateWish): Door['enter'] =>
  async ({ enrollment }, attempt) => {
    const context = contextFor(attempt, 'aws-claim');
    const { ownershipToken } = await enrollment.createCertificate(attempt.claim, wishOf(attempt), context);
    const wish = {
      template: attempt.template ?? 'default',
      ownershipToken,
      parameters: { SerialNumber: attempt.serial },
    };
    return (await enrollment.registerThing(attempt.claim, wish, context)).deviceId;
  };

const est =
  (enroll: 'enrollDirect' | 'enrollWithServerKey', opened: 'by certificate' | 'by password'): Door['enter'] =>
  async (world, attempt) => {
    const password = opened === 'by password' ? await passwordFor(world, attempt) : undefined;
    const context = { ...contextFor(attempt, 'est'), password };
    return (await world.enrollment[enroll](attempt.claim, attempt.csr, context)).deviceId;
  };

const station =
  (keyOrigin: 'device' | 'station'): Door['enter'] =>
  async ({ enrollment }, attempt) => {
    const context = {
      ...contextFor(attempt, 'station'),
      station: { serialNumber: attempt.serial, keyOrigin, operator: 'operator:alice' },
    };
    return (await enrollment.enrollDirect(attempt.claim, attempt.csr, context)).deviceId;
  };

/** As if it had been made before whatever happened to the claim. */
async function passwordFor({ opened, repositories, clock }: IdentityWorld, { claim, serial }: Attempt) {
  const password: OneTimePassword = {
    passwordId: `password-${serial}`,
    tenant: claim.tenant,
    claimId: claim.claimId,
    serialNumber: serial,
    verifier: new Uint8Array(32),
    state: 'open',
    expiresAt: clock.now() + 3_600_000,
    createdAt: clock.now(),
    createdBy: 'operator:alice',
    usedAt: undefined,
    usedKey: undefined,
  };
  await opened.store.commit([repositories.passwords.inserting(password)]);
  return password;
}

const OWN_KEY = ['server-key'] as const;
const SERVER_KEY = ['key'] as const;

/** Every way in. A rule that only one of them knows fails the table. */
const DOORS: Readonly<Record<string, Door>> = {
  'AWS fleet provisioning': { lacks: OWN_KEY, enter: fleet(({ csr }) => ({ csrDer: csr })) },
  'AWS fleet provisioning with a key of the server': {
    lacks: ['key', 'request'],
    enter: fleet(() => ({ serverKey: true })),
  },
  'EST simpleenroll': { lacks: OWN_KEY, enter: est('enrollDirect', 'by certificate') },
  'EST simpleenroll by password': { lacks: OWN_KEY, enter: est('enrollDirect', 'by password') },
  'factory station, key of the device': { lacks: OWN_KEY, enter: station('device') },
  'factory station, key of the station': { lacks: OWN_KEY, enter: station('station') },
  'EST serverkeygen': { lacks: SERVER_KEY, enter: est('enrollWithServerKey', 'by certificate') },
  'EST serverkeygen by password': { lacks: SERVER_KEY, enter: est('enrollWithServerKey', 'by password') },
  ...Object.fromEntries(Object.entries(CLAIMLESS_DOORS).map(([name, door]) => [name, { lacks: OWN_KEY, ...door }])),
};

function concerns({ lacks, only }: Door, { about, rule = '' }: Row): boolean {
  return (about === undefined || !lacks.includes(about)) && (only === undefined || only.has(rule));
}

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
    about: 'request',
    code: 'allowed',
    prepare: async () => ({ csr: await makeCsr({ commonName: 'lamp-9","isCA":true,"x":"' }) }),
  },
  {
    name: 'the name the registry would give anyway',
    about: 'request',
    code: 'allowed',
    prepare: async (_world, serial) => ({ csr: await uri(deviceUri('default', serial)) }),
  },
  {
    name: 'a request that is bound to its connection',
    about: 'request',
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
    about: 'key',
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
    about: 'request',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: flipped(await makeCsr(), 80) }),
  },
  {
    name: 'a request with a bit of its signature flipped',
    about: 'request',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: flipped(await makeCsr(), -1) }),
  },
  {
    name: 'bytes that are no request',
    about: 'request',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: Uint8Array.of(0x30, 0) }),
  },
  {
    name: 'a key on P-192',
    about: 'request',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.p192 }),
  },
  {
    name: 'a curve that is spelt out',
    about: 'request',
    rule: 'proof-of-possession',
    code: 'identity.bad_csr',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.explicitCurve }),
  },
  {
    name: 'an RSA key of 1,024 bits',
    about: 'key',
    rule: 'strong-key',
    code: 'identity.weak_key',
    prepare: async () => ({ csr: await makeCsr({ key: rsa(1024, 65_537) }) }),
  },
  {
    name: 'an RSA key with exponent 3',
    about: 'key',
    rule: 'strong-key',
    code: 'identity.weak_key',
    prepare: async () => ({ csr: await makeCsr({ key: rsa(2048, 3) }) }),
  },
  {
    name: 'the wish to be an authority',
    about: 'request',
    rule: 'no-authority',
    code: 'identity.ca_requested',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.authority }),
  },
  {
    name: 'the wish to sign certificates',
    about: 'request',
    rule: 'no-authority',
    code: 'identity.ca_requested',
    prepare: async () => ({ csr: OPENSSL_REQUESTS.certSigner }),
  },
  {
    name: "another device's name",
    about: 'request',
    rule: 'own-name-only',
    code: 'identity.foreign_name',
    prepare: async () => ({ csr: await uri(deviceUri('default', 'lamp-9')) }),
  },
  {
    name: 'the name of a host',
    about: 'request',
    rule: 'own-name-only',
    code: 'identity.foreign_name',
    prepare: async () => ({ csr: await makeCsr({ names: [{ kind: 'dns', text: 'localhost' }] }) }),
  },
  {
    name: 'a request made for another connection',
    about: 'request',
    rule: 'bound-to-connection',
    code: 'identity.channel_binding',
    prepare: async () => ({
      binding: Uint8Array.of(1, 2, 3),
      csr: await makeCsr({ challengePassword: encodeBase64(Uint8Array.of(3, 2, 1)) }),
    }),
  },
  {
    name: 'the key of a device in the field',
    about: 'key',
    rule: 'key-has-one-owner',
    code: 'identity.key_reuse',
    prepare: async (world, serial) => ({ csr: await makeCsr({ key: await enrolled(world, `${serial}-other`) }) }),
  },
  {
    name: 'the key of a revoked device',
    about: 'key',
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
    about: 'key',
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
    about: 'key',
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
    about: 'key',
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
    about: 'key',
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
    about: 'key',
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
  {
    name: 'a request that is not bound, where the product demands it',
    about: 'request',
    rule: 'bound-where-required',
    code: 'identity.binding_required',
    prepare: async (world, serial) => ({
      binding: Uint8Array.of(1, 2, 3),
      claim: await termsFor(world, serial, { binding: 'required' }),
    }),
  },
  {
    name: 'a key of the server, where the product has none made',
    about: 'server-key',
    rule: 'server-key-allowed',
    code: 'identity.server_key_refused',
    prepare: async (world, serial) => ({ claim: await termsFor(world, serial, { serverKeys: 'never' }) }),
  },
  {
    name: 'a device that waits for an operator',
    code: 'identity.approval_pending',
    audit: 'enrollment.waiting',
    prepare: async (world, serial) => ({ claim: await termsFor(world, serial, { approval: 'operator' }) }),
  },
  ...TEMPLATE_ROWS,
];

/** A claim of a product with other terms than the rest. */
async function termsFor(
  world: IdentityWorld,
  serial: string,
  terms: Partial<EnrollmentTerms>,
): Promise<ClaimPrincipal> {
  const product = `product-${serial}`;
  await world.addProduct(product);
  await world.products.setEnrollment(ADMIN, product, { serverKeys: 'everywhere', ...terms });
  return world.addClaim({ product, serials: [serial] });
}

/** Rules that the rows above cannot reach through every door, and where they are tested. */
const ELSEWHERE = ['known-decrypt-key', 'plain-serial', 'listed-serial', 'serial-once'];

describe.each(Object.keys(DOORS))('enrollment through %s', (doorName) => {
  let world: IdentityWorld;
  const door = DOORS[doorName];
  const rows = ROWS.map((row, index) => ({ ...row, serial: `lamp-${index}` }));

  beforeAll(async () => {
    world = await openIdentityWorld({ hooks: VERDICT_HOOKS });
    await world.addProduct('lamp');
    await world.addProduct('lock');
    await world.products.setEnrollment(ADMIN, 'lamp', { serverKeys: 'everywhere' });
  });
  afterAll(() => world.opened.close());

  it.each(rows.filter((row) => door !== undefined && concerns(door, row)))('answers $code to $name', async (row) => {
    const prepared = await row.prepare(world, row.serial);
    const attempt: Attempt = {
      claim: prepared.claim ?? (await world.addClaim({ serials: [row.serial] })),
      csr: prepared.csr ?? (await makeCsr()),
      serial: row.serial,
      ...prepared,
    };
    const before = await world.repositories.devices.find('default', row.serial);
    const verdict = await door?.enter(world, attempt).then(
      (deviceId) => (deviceId === row.serial ? 'allowed' : deviceId),
      (error: unknown) => (HoldfastError.is(error) ? error.code : error),
    );
    expect(verdict).toBe(row.code);
    const last = (await world.audit()).at(-1);
    if (row.code === 'allowed') {
      expect(last).toMatchObject({ action: 'device.enrolled', subject: row.serial });
      return;
    }
    const refusal = row.code === 'identity.key_reuse' ? 'key.reuse' : 'enrollment.refused';
    expect(last?.action).toBe(row.audit ?? refusal);
    if (row.audit === undefined) {
      expect(JSON.parse(last?.details ?? '{}')).toMatchObject({
        code: row.code,
        ...(row.rule ? { rule: row.rule } : {}),
      });
    }
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
