import { generatePrivateKey, importPrivateKey, type PrivateKey, sha1Identifier } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import type { DirectEnrollment, EnrollmentContext } from '@holdfast/trust/identity';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { decodeCertificate, decodeSpki } from '@holdfast/wire/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, connection, type IdentityWorld, makeCsr, openIdentityWorld } from '../testing/identity-world.ts';

const coded = (code: string) => expect.objectContaining({ code });
const MINUTE_MS = 60_000;

let world: IdentityWorld;
let claim: ClaimPrincipal;
beforeEach(async () => {
  world = await openIdentityWorld();
  await world.addProduct('lamp');
  await world.products.setEnrollment(ADMIN, 'lamp', { serverKeys: 'everywhere' });
  claim = await world.addClaim({ serials: ['lamp-1', 'lamp-2'] });
});
afterEach(() => world.opened.close());

/** What the adapter does with a name and a password. */
async function withPassword(serials: readonly string[] | undefined = ['lamp-1']): Promise<EnrollmentContext> {
  const wish = serials === undefined ? { count: 1 } : { serials };
  const [minted] = await world.passwords.mint(ADMIN, { claimId: claim.claimId, ...wish });
  const name = minted?.record.serialNumber ?? minted?.record.passwordId ?? '';
  const remoteAddress = '192.0.2.1';
  const verdict = await world.passwords.check({
    tenant: 'default',
    name,
    password: minted?.password ?? '',
    remoteAddress,
  });
  if (verdict.kind !== 'accepted') throw new TypeError(verdict.kind);
  return { ...connection('e1', 'est'), password: verdict.password };
}

const simple = async (context: EnrollmentContext, key?: PrivateKey): Promise<DirectEnrollment> =>
  world.enrollment.enrollDirect(claim, await makeCsr(key ? { key } : {}), context);
const serverKey = async (context: EnrollmentContext, key?: PrivateKey): Promise<DirectEnrollment> =>
  world.enrollment.enrollWithServerKey(claim, await makeCsr(key ? { key } : {}), context);
const markUsed = async (deviceId: string): Promise<void> => {
  const all = await world.repositories.certificates.ofDevice('default', deviceId);
  const certificate = all.find(({ state }) => state === 'active');
  if (certificate === undefined) throw new TypeError('no certificate');
  const firstUsedAt = world.clock.now();
  await world.opened.store.commit([world.repositories.certificates.changing(certificate, { firstUsedAt })]);
};

describe('a one-time password', () => {
  it('enrolls the device it was made for, where the claim alone would not know which', async () => {
    const { deviceId } = await simple(await withPassword(['lamp-2']));
    expect(deviceId).toBe('lamp-2');
    await expect(simple(connection('c', 'est'))).resolves.toMatchObject({ deviceId: 'lamp-1' });
  });

  it('that is of the claim as a whole leaves the device to the claim', async () => {
    await simple(await withPassword(['lamp-2']));
    expect((await simple(await withPassword(undefined))).deviceId).toBe('lamp-1');
  });

  it('is used up with the certificate, in one unit of work', async () => {
    const context = await withPassword();
    await simple(context);
    expect(await world.repositories.passwords.find(context.password?.passwordId ?? '')).toMatchObject({
      state: 'used',
      usedAt: world.clock.now(),
    });
    await expect(simple(context)).rejects.toThrowError(coded('identity.bad_password'));
    expect((await world.audit()).at(-1)).toMatchObject({ action: 'enrollment.refused' });
  });

  it('is not used up by a request that is refused', async () => {
    const context = await withPassword();
    await expect(world.enrollment.enrollDirect(claim, Uint8Array.of(0x30, 0), context)).rejects.toThrowError(
      coded('identity.bad_csr'),
    );
    expect((await simple(context)).deviceId).toBe('lamp-1');
  });

  it('gives the same certificate to the same key for ten minutes, when the answer was lost', async () => {
    const context = await withPassword();
    const key = await generatePrivateKey('P-256');
    const first = await simple(context, key);
    world.clock.advance(9 * MINUTE_MS);
    expect((await simple(context, key)).certificateDer).toEqual(first.certificateDer);
    world.clock.advance(MINUTE_MS);
    await expect(simple(context, key)).rejects.toThrowError(coded('identity.bad_password'));
  });

  it('gives nothing more once the certificate is in use', async () => {
    const context = await withPassword();
    const key = await generatePrivateKey('P-256');
    await simple(context, key);
    await markUsed('lamp-1');
    await expect(simple(context, key)).rejects.toThrowError(coded('identity.bad_password'));
  });

  it('serves one of two devices that race for it', async () => {
    const context = await withPassword();
    const outcomes = await Promise.allSettled([simple(context), simple(context), simple(context)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    for (const refusal of refusals) expect(HoldfastError.is(refusal, 'identity.bad_password')).toBe(true);
    expect(await world.claims.show('default', claim.claimId)).toMatchObject({ used: 1 });
  });

  it('opens nothing once its claim is cancelled', async () => {
    const context = await withPassword();
    await world.claims.cancel(ADMIN, claim.claimId);
    await expect(simple(context)).rejects.toThrowError(coded('identity.claim_revoked'));
  });
});

describe('a key made by the server', () => {
  const keyOf = ({ privateKeyPkcs8 }: DirectEnrollment) => importPrivateKey(privateKeyPkcs8 ?? new Uint8Array());

  it('is the key of the certificate, is marked and is kept nowhere', async () => {
    const made = await serverKey(await withPassword());
    const { publicKey } = keyOf(made);
    expect(decodeCertificate(made.certificateDer).spki.raw).toEqual(publicKey.spki);
    const [certificate] = await world.repositories.certificates.ofDevice('default', 'lamp-1');
    expect(certificate).toMatchObject({ keyOrigin: 'server', state: 'active', door: 'est' });
  });

  it('is another one when the answer was lost, and the certificate of the first is given up', async () => {
    const context = await withPassword();
    const key = await generatePrivateKey('P-256');
    const first = await serverKey(context, key);
    const second = await serverKey(context, key);
    expect(keyOf(second).publicKey.spki).not.toEqual(keyOf(first).publicKey.spki);
    const states = (await world.repositories.certificates.ofDevice('default', 'lamp-1')).map(({ state }) => state);
    expect(states.toSorted()).toEqual(['abandoned', 'active']);
    expect(await world.claims.show('default', claim.claimId)).toMatchObject({ used: 1 });
    expect((await world.audit()).map(({ action }) => action)).toContain('device.key_replaced');
  });

  it('is replaced for a claim by certificate too, for ten minutes and not once it is in use', async () => {
    claim = await world.addClaim({ serials: ['lamp-9'] });
    const [context, key] = [connection('c', 'est'), await generatePrivateKey('P-256')];
    await serverKey(context, key);
    await serverKey(context, key);
    await markUsed('lamp-9');
    await expect(serverKey(context, key)).rejects.toThrowError(coded('identity.claim_used_up'));
    claim = await world.addClaim({ serials: ['lamp-8'] });
    await serverKey(context, key);
    world.clock.advance(10 * MINUTE_MS);
    await expect(serverKey(context, key)).rejects.toThrowError(coded('identity.claim_used_up'));
  });

  it('is never given to whoever comes with another key', async () => {
    const context = await withPassword();
    await serverKey(context);
    await expect(serverKey(context)).rejects.toThrowError(coded('identity.bad_password'));
  });

  it('is meant for the key of the request when the request names that, and for no other', async () => {
    const context = await withPassword();
    const key = await generatePrivateKey('P-256');
    const ask = async (asymmetricDecryptKeyId: Uint8Array) =>
      world.enrollment.enrollWithServerKey(claim, await makeCsr({ key, asymmetricDecryptKeyId }), context);
    await expect(ask(Uint8Array.of(1, 2, 3))).rejects.toThrowError(coded('identity.unknown_decrypt_key'));
    const own = sha1Identifier(decodeSpki(key.publicKey.spki).key);
    const { encryptFor } = await ask(own);
    expect([encryptFor?.key.spki, encryptFor?.keyIdentifier]).toEqual([key.publicKey.spki, own]);
  });

  it('is refused at this door unless the product lets it', async () => {
    const context = await withPassword();
    for (const serverKeys of ['never', 'aws'] as const) {
      await world.products.setEnrollment(ADMIN, 'lamp', { serverKeys });
      await expect(serverKey(context)).rejects.toThrowError(coded('identity.server_key_refused'));
    }
    expect((await simple(context)).privateKeyPkcs8).toBeUndefined();
  });
});

describe('a product that wants approval', () => {
  beforeEach(async () => {
    await world.products.setEnrollment(ADMIN, 'lamp', { approval: 'operator' });
  });
  const waiting = async () => (await world.enrollment.approvals.list('default', { limit: 10 })).rows;

  it('makes the device wait, however often it asks, and serves it once it is approved', async () => {
    const [context, key] = [await withPassword(), await generatePrivateKey('P-256')];
    const pending = coded('identity.approval_pending');
    await expect(simple(context, key)).rejects.toThrowError(pending);
    await expect(simple({ ...context, connectionId: 'e2' }, key)).rejects.toThrowError(pending);
    const [request, ...others] = await waiting();
    expect(others).toEqual([]);
    expect(request).toMatchObject({ serialNumber: 'lamp-1', product: 'lamp', state: 'waiting' });
    expect(await world.repositories.devices.find('default', 'lamp-1')).toBeUndefined();
    await world.enrollment.approvals.approve(ADMIN, request?.requestId ?? '');
    const first = await simple(context, key);
    expect(first.deviceId).toBe('lamp-1');
    expect((await simple(context, key)).certificateDer).toEqual(first.certificateDer);
    expect(await waiting()).toEqual([]);
    const actions = (await world.audit())
      .map(({ action }) => action)
      .filter((action) => action.startsWith('enrollment'));
    expect(actions).toEqual(['enrollment.waiting', 'enrollment.approved']);
  });

  it('approves one key, not whoever comes next with the same password', async () => {
    const context = await withPassword();
    await expect(simple(context)).rejects.toThrowError(coded('identity.approval_pending'));
    const [request] = await waiting();
    await world.enrollment.approvals.approve(ADMIN, request?.requestId ?? '');
    await expect(simple(context)).rejects.toThrowError(coded('identity.approval_pending'));
  });

  it('refuses a device that was denied, and lets nobody change that decision in passing', async () => {
    const [context, key] = [await withPassword(), await generatePrivateKey('P-256')];
    await expect(simple(context, key)).rejects.toThrowError(coded('identity.approval_pending'));
    const requestId = (await waiting())[0]?.requestId ?? '';
    await world.enrollment.approvals.deny(ADMIN, requestId);
    await world.enrollment.approvals.deny(ADMIN, requestId);
    await expect(simple(context, key)).rejects.toThrowError(coded('identity.approval_denied'));
    await expect(world.enrollment.approvals.approve(ADMIN, requestId)).rejects.toThrowError(
      coded('identity.request_decided'),
    );
    await expect(world.enrollment.approvals.approve(ADMIN, 'none')).rejects.toThrowError(
      coded('identity.unknown_request'),
    );
    const stranger = { ...ADMIN, tenant: 'other' };
    await expect(world.enrollment.approvals.approve(stranger, requestId)).rejects.toThrowError(
      coded('identity.unknown_request'),
    );
  });

  it('holds for AWS provisioning as well', async () => {
    const context = connection('mqtt-1');
    const csrDer = await makeCsr();
    const { ownershipToken } = await world.enrollment.createCertificate(claim, { csrDer }, context);
    const wish = { template: 'default', ownershipToken, parameters: { SerialNumber: 'lamp-1' } };
    const register = () => world.enrollment.registerThing(claim, wish, context);
    await expect(register()).rejects.toThrowError(coded('identity.approval_pending'));
    await world.enrollment.approvals.approve(ADMIN, (await waiting())[0]?.requestId ?? '');
    expect((await register()).deviceId).toBe('lamp-1');
  });

  it('lets a key of the server wait for the key that asks', async () => {
    const [context, key] = [await withPassword(), await generatePrivateKey('P-256')];
    await expect(serverKey(context, key)).rejects.toThrowError(coded('identity.approval_pending'));
    await world.enrollment.approvals.approve(ADMIN, (await waiting())[0]?.requestId ?? '');
    await serverKey(context, key);
    expect((await serverKey(context, key)).deviceId).toBe('lamp-1');
  });

  it('lets a claim fill the list no further than it may register', async () => {
    claim = await world.addClaim({ quota: 2 });
    const ask = () => simple(connection('c', 'est'));
    for (let at = 0; at < 2; at++) await expect(ask()).rejects.toThrowError(coded('identity.approval_pending'));
    await expect(ask()).rejects.toThrowError(coded('identity.too_many_waiting'));
    expect(await waiting()).toHaveLength(2);
  });

  it('holds an approval and a denial for a week, be they swept or not', async () => {
    claim = await world.addClaim({ serials: ['lamp-1'], expiresAt: world.clock.now() + 90 * 24 * 60 * MINUTE_MS });
    const [context, key] = [connection('c', 'est'), await generatePrivateKey('P-256')];
    const week = 7 * 24 * 60 * MINUTE_MS;
    const pending = coded('identity.approval_pending');
    for (const decide of ['approve', 'deny'] as const) {
      await expect(simple(context, key)).rejects.toThrowError(pending);
      const requestId = (await waiting())[0]?.requestId ?? '';
      await world.enrollment.approvals[decide](ADMIN, requestId);
      world.clock.advance(week);
      await expect(world.enrollment.approvals.approve(ADMIN, requestId)).rejects.toThrowError(
        coded('identity.unknown_request'),
      );
      await expect(simple(context, key)).rejects.toThrowError(pending);
      world.clock.advance(week);
    }
  });

  it('forgets who waited for a week', async () => {
    await expect(simple(await withPassword())).rejects.toThrowError(coded('identity.approval_pending'));
    world.clock.advance(7 * 24 * 60 * MINUTE_MS);
    await world.enrollment.sweep();
    expect(await waiting()).toEqual([]);
  });
});

describe('proof of possession', () => {
  const bound = (kind: 'tls-unique' | 'tls-exporter'): EnrollmentContext => ({
    ...connection('c', 'est'),
    channelBinding: () => ({ kind, bytes: Uint8Array.of(1, 2, 3) }),
  });

  it('must be bound over TLS 1.2 where the product says so; TLS 1.3 has no such name for its connections', async () => {
    await world.products.setEnrollment(ADMIN, 'lamp', { binding: 'required' });
    claim = await world.addClaim({ serials: ['lamp-1'] });
    await expect(simple(bound('tls-unique'))).rejects.toThrowError(coded('identity.binding_required'));
    expect((await simple(bound('tls-exporter'))).deviceId).toBe('lamp-1');
  });

  it('is bound on renewal too', async () => {
    claim = await world.addClaim({ serials: ['lamp-1'] });
    const { deviceId } = await simple(connection('c', 'est'));
    await world.products.setEnrollment(ADMIN, 'lamp', { binding: 'required' });
    const [certificate] = await world.repositories.certificates.ofDevice('default', deviceId);
    const device = {
      kind: 'device',
      tenant: 'default',
      deviceId,
      fingerprint: certificate?.fingerprint ?? '',
    } as const;
    const renew = async (csr: Uint8Array) => world.enrollment.renew(device, csr, bound('tls-unique'));
    await expect(renew(await makeCsr())).rejects.toThrowError(coded('identity.binding_required'));
    expect((await renew(await makeCsr({ challengePassword: 'AQID' }))).length).toBeGreaterThan(0);
  });
});
