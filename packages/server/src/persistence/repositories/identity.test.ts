import { ManualClock } from '@holdfast/kernel';
import type {
  CertificateRecord,
  ClaimRecord,
  DeviceRecord,
  IdentityRepositories,
  OwnershipToken,
  Write,
} from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../open-store.ts';
import { identityRepositories } from './identity.ts';

const T = 'default';
const hex = (n: number): string => n.toString(16).padStart(64, '0');
const conflict = expect.objectContaining({ code: 'store.conflict' });

const device = (deviceId: string, change: Partial<DeviceRecord> = {}): DeviceRecord => ({
  tenant: T,
  deviceId,
  product: 'lamp',
  serialNumber: deviceId,
  hardwareRevision: 'rev-a',
  state: 'established',
  stateReason: undefined,
  attributes: { line: '3' },
  ueid: undefined,
  attestationAnchor: Uint8Array.of(1, 2),
  claimId: undefined,
  createdAt: 1,
  enrolledAt: undefined,
  revision: 0,
  ...change,
});

const certificate = (n: number, change: Partial<CertificateRecord> = {}): CertificateRecord => ({
  tenant: T,
  fingerprint: hex(n),
  serialNumber: `40${n}`,
  profile: 'device',
  state: 'active',
  der: Uint8Array.of(n),
  spkiSha256: hex(1000 + n),
  issuer: hex(0),
  subjectId: 'lamp-1',
  claimId: 'c1',
  keyOrigin: 'device',
  door: 'est',
  notBefore: 0,
  notAfter: 1_000,
  issuedAt: n,
  firstUsedAt: undefined,
  revokedAt: undefined,
  revocationReason: undefined,
  ...change,
});

const claim = (claimId: string, change: Partial<ClaimRecord> = {}): ClaimRecord => ({
  tenant: T,
  claimId,
  product: 'lamp',
  hardwareRevision: 'rev-a',
  groups: ['pilot'],
  fingerprint: hex(9),
  state: 'active',
  scope: 'quota',
  quota: 2,
  used: 0,
  expiresAt: 100,
  autoRegister: true,
  createdAt: 1,
  createdBy: 'operator:alice',
  ...change,
});

const token = (n: number, change: Partial<OwnershipToken> = {}): OwnershipToken => ({
  tokenSha256: hex(n),
  tenant: T,
  claimId: 'c1',
  connectionId: 'k1',
  fingerprint: hex(1),
  state: 'open',
  expiresAt: 10 + n,
  deviceId: undefined,
  ...change,
});

describe('the identity repositories', () => {
  let opened: OpenStore;
  let all: IdentityRepositories;
  const commit = (...writes: readonly Write[]): Promise<unknown> => opened.store.commit(writes);

  beforeEach(async () => {
    opened = await openStore({ location: ':memory:', clock: new ManualClock() });
    all = identityRepositories(opened.reader);
  });
  afterEach(() => opened.close());

  it('gives every record back as it was written', async () => {
    const { devices, certificates, keyOwners, claims, tokens, crls } = all;
    const owner = { spkiSha256: hex(5), tenant: T, kind: 'device', id: 'lamp-1' } as const;
    const crl = { issuer: hex(0), number: 1, thisUpdate: 1, nextUpdate: 2, der: Uint8Array.of(3) };
    await commit(
      devices.inserting(device('lamp-1')),
      certificates.inserting(certificate(1)),
      keyOwners.inserting(owner),
      claims.inserting(claim('c1')),
      tokens.inserting(token(1)),
      crls.publishing(crl),
    );
    expect(await devices.find(T, 'lamp-1')).toEqual(device('lamp-1'));
    expect(await devices.findBySerial(T, 'lamp-1')).toEqual(device('lamp-1'));
    expect(await certificates.find(hex(1))).toEqual(certificate(1));
    expect(await certificates.findBySerial('401')).toEqual(certificate(1));
    expect(await keyOwners.find(hex(5))).toEqual(owner);
    expect(await claims.find(T, 'c1')).toEqual(claim('c1'));
    expect(await tokens.find(hex(1))).toEqual(token(1));
    expect(await crls.find(hex(0))).toEqual(crl);
  });

  it('keeps the tenants apart', async () => {
    await commit(all.devices.inserting(device('lamp-1')), all.claims.inserting(claim('c1')));
    expect(await all.devices.find('other', 'lamp-1')).toBeUndefined();
    expect(await all.claims.find('other', 'c1')).toBeUndefined();
    expect((await all.devices.list('other', {}, { limit: 10 })).rows).toEqual([]);
  });

  it('changes a device only on the revision that was read', async () => {
    const first = device('lamp-1');
    await commit(all.devices.inserting(first));
    await commit(all.devices.changing(first, { state: 'active', enrolledAt: 5 }));
    await expect(commit(all.devices.changing(first, { state: 'revoked' }))).rejects.toThrowError(conflict);
    expect(await all.devices.find(T, 'lamp-1')).toEqual(
      device('lamp-1', { state: 'active', enrolledAt: 5, revision: 1 }),
    );
  });

  it.each([
    ['a second device of one serial number', () => [all.devices.inserting(device('x', { serialNumber: 'lamp-1' }))]],
    ['a device id that is taken', () => [all.devices.inserting(device('lamp-1', { serialNumber: 'x' }))]],
    ['a second active certificate of a device', () => [all.certificates.inserting(certificate(2))]],
    [
      'a serial number given twice',
      () => [all.certificates.inserting(certificate(2, { serialNumber: '401', state: 'pending' }))],
    ],
    [
      'a second owner of a key',
      () => [all.keyOwners.inserting({ spkiSha256: hex(7), tenant: T, kind: 'claim', id: 'c9' })],
    ],
    ['a token that exists', () => [all.tokens.inserting(token(1))]],
    ['a serial listed twice', () => [all.claims.listing(T, 'c1', 's1')]],
  ])('refuses %s', async (_name, second) => {
    await commit(
      all.devices.inserting(device('lamp-1')),
      all.certificates.inserting(certificate(1)),
      all.keyOwners.inserting({ spkiSha256: hex(7), tenant: T, kind: 'device', id: 'lamp-1' }),
      all.tokens.inserting(token(1)),
      all.claims.inserting(claim('c1')),
      all.claims.listing(T, 'c1', 's1'),
    );
    await expect(commit(...second())).rejects.toThrowError(conflict);
  });

  it('holds one active certificate and one successor of a device, and lets the successor follow in one unit', async () => {
    const { certificates } = all;
    const [old, next] = [certificate(1), certificate(2, { state: 'successor' })];
    await commit(certificates.inserting(old), certificates.inserting(next));
    await expect(commit(certificates.inserting(certificate(3, { state: 'successor' })))).rejects.toThrowError(conflict);
    await expect(commit(certificates.changing(next, { state: 'active' }))).rejects.toThrowError(conflict);
    await commit(
      certificates.changing(old, { state: 'superseded', revokedAt: 9, revocationReason: 'superseded' }),
      certificates.changing(next, { state: 'active', firstUsedAt: 9 }),
    );
    expect((await certificates.ofDevice(T, 'lamp-1')).map(({ state }) => state)).toEqual(['active', 'superseded']);
  });

  it('changes a certificate only in the state that was read', async () => {
    const first = certificate(1);
    await commit(all.certificates.inserting(first));
    await commit(all.certificates.changing(first, { firstUsedAt: 3 }));
    await expect(commit(all.certificates.changing(first, { state: 'revoked' }))).rejects.toThrowError(conflict);
    const used = certificate(1, { firstUsedAt: 3 });
    await commit(all.certificates.changing(used, { state: 'revoked', revokedAt: 4 }));
    await expect(commit(all.certificates.changing(used, { state: 'active' }))).rejects.toThrowError(conflict);
  });

  it('lists what an issuer revoked and what a claim holds', async () => {
    const { certificates } = all;
    await commit(
      certificates.inserting(certificate(1, { state: 'revoked', subjectId: 'a' })),
      certificates.inserting(certificate(2, { state: 'abandoned', subjectId: undefined })),
      certificates.inserting(certificate(3, { state: 'revoked', subjectId: 'b', notAfter: 5 })),
      certificates.inserting(certificate(4, { state: 'revoked', subjectId: 'c', issuer: hex(1) })),
      certificates.inserting(certificate(5, { state: 'pending', subjectId: undefined })),
      certificates.inserting(certificate(6, { profile: 'server', subjectId: 'localhost' })),
    );
    expect(await certificates.listRevoked(hex(0), 6)).toEqual([
      { serialNumber: '401', revokedAt: undefined, revocationReason: undefined },
      { serialNumber: '402', revokedAt: undefined, revocationReason: undefined },
    ]);
    expect((await certificates.pendingOfClaim(T, 'c1')).map(({ serialNumber }) => serialNumber)).toEqual(['405']);
    expect((await certificates.activeOfProfile(T, 'server')).map(({ serialNumber }) => serialNumber)).toEqual(['406']);
  });

  it('counts a claim up to its quota and never after it was cancelled', async () => {
    const { claims } = all;
    await commit(claims.inserting(claim('c1')), claims.inserting(claim('c2')));
    await commit(claims.counting(T, 'c1'));
    await commit(claims.counting(T, 'c1'));
    await expect(commit(claims.counting(T, 'c1'))).rejects.toThrowError(conflict);
    await commit(claims.revoking(claim('c2')));
    await expect(commit(claims.counting(T, 'c2'))).rejects.toThrowError(conflict);
    await expect(commit(claims.revoking(claim('c2')))).rejects.toThrowError(conflict);
    expect((await claims.find(T, 'c1'))?.used).toBe(2);
  });

  it('gives a listed serial number away once', async () => {
    const { claims } = all;
    await commit(claims.inserting(claim('c1')), claims.listing(T, 'c1', 's2'), claims.listing(T, 'c1', 's1'));
    expect(await claims.freeSerials(T, 'c1', 10)).toEqual(['s1', 's2']);
    await commit(claims.usingSerial(T, 'c1', 's1', 4));
    await expect(commit(claims.usingSerial(T, 'c1', 's1', 5))).rejects.toThrowError(conflict);
    await expect(commit(claims.usingSerial(T, 'c1', 's3', 5))).rejects.toThrowError(conflict);
    expect(await claims.freeSerials(T, 'c1', 10)).toEqual(['s2']);
    expect(await claims.findSerial(T, 'c1', 's1')).toEqual({ serialNumber: 's1', usedAt: 4 });
    expect(await claims.findSerial(T, 'c1', 's3')).toBeUndefined();
  });

  it('uses a token once and voids those of a certificate or a claim', async () => {
    const { tokens } = all;
    await commit(...[1, 2, 3].map((n) => tokens.inserting(token(n, { fingerprint: hex(n) }))));
    await commit(tokens.using(hex(1), 'lamp-1'));
    await expect(commit(tokens.using(hex(1), 'lamp-1'))).rejects.toThrowError(conflict);
    await commit(tokens.voiding(hex(2)));
    await expect(commit(tokens.using(hex(2), 'lamp-1'))).rejects.toThrowError(conflict);
    expect((await tokens.expired(13, 10)).map(({ tokenSha256 }) => tokenSha256)).toEqual([hex(3)]);
    await commit(tokens.voidingOfClaim(T, 'c1'));
    expect((await tokens.find(hex(1)))?.state).toBe('void');
  });

  it('moves a key only from the owner that was read', async () => {
    const pending = { spkiSha256: hex(1), tenant: T, kind: 'pending', id: 'c1' } as const;
    const owned = { ...pending, kind: 'device', id: 'lamp-1' } as const;
    await commit(all.keyOwners.inserting(pending));
    await commit(all.keyOwners.moving(pending, owned));
    await expect(commit(all.keyOwners.moving(pending, { ...owned, id: 'lamp-2' }))).rejects.toThrowError(conflict);
    expect(await all.keyOwners.find(hex(1))).toEqual(owned);
  });

  it('publishes revocation lists with numbers that only rise by one', async () => {
    const crl = (number: number) => ({
      issuer: hex(0),
      number,
      thisUpdate: 1,
      nextUpdate: 2,
      der: Uint8Array.of(number),
    });
    await commit(all.crls.publishing(crl(1)));
    await expect(commit(all.crls.publishing(crl(1)))).rejects.toThrowError(conflict);
    await expect(commit(all.crls.publishing(crl(3)))).rejects.toThrowError(conflict);
    await commit(all.crls.publishing(crl(2)));
    await expect(commit(all.crls.publishing(crl(2)))).rejects.toThrowError(conflict);
    expect((await all.crls.find(hex(0)))?.number).toBe(2);
  });

  it('lists devices by product, state, group and prefix in pages that leave nothing out', async () => {
    const { devices } = all;
    const ids = Array.from({ length: 7 }, (_, i) => `lamp-${i}`);
    await commit(
      ...ids.map((id, i) => devices.inserting(device(id, i % 2 === 0 ? {} : { product: 'lock', state: 'active' }))),
      ...['lamp-1', 'lamp-3', 'lamp-4'].map((id) => devices.joining(T, id, 'pilot')),
      devices.joining(T, 'lamp-1', 'pilot'),
    );
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await devices.list(T, {}, { after, limit: 3 });
      seen.push(...page.rows.map(({ deviceId }) => deviceId));
      after = page.next;
    } while (after !== undefined);
    const idsOf = async (filter: Parameters<typeof devices.list>[1]): Promise<string[]> =>
      (await devices.list(T, filter, { limit: 100 })).rows.map(({ deviceId }) => deviceId);
    expect(seen).toEqual(ids);
    expect(await idsOf({ product: 'lock' })).toEqual(['lamp-1', 'lamp-3', 'lamp-5']);
    expect(await idsOf({ state: 'established' })).toEqual(['lamp-0', 'lamp-2', 'lamp-4', 'lamp-6']);
    expect(await idsOf({ group: 'pilot', product: 'lock' })).toEqual(['lamp-1', 'lamp-3']);
    expect(await idsOf({ prefix: 'lamp-4' })).toEqual(['lamp-4']);
    await commit(devices.leaving(T, 'lamp-1', 'pilot'));
    expect(await devices.groupsOf(T, 'lamp-1')).toEqual([]);
    expect(await devices.groupsOf(T, 'lamp-3')).toEqual(['pilot']);
  });
});
