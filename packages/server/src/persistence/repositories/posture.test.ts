import { ManualClock } from '@holdfast/kernel';
import type {
  AttestationNonce,
  DeviceRecord,
  PostureRecord,
  PostureRepositories,
  ProductRecord,
  ReferenceValue,
  Write,
} from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../open-store.ts';
import { identityRepositories } from './identity.ts';
import { postureRepositories } from './posture.ts';

const T = 'default';
const hex = (n: number): string => n.toString(16).padStart(64, '0');
const conflict = expect.objectContaining({ code: 'store.conflict' });

const product = (name: string): ProductRecord => ({
  tenant: T,
  name,
  hardwareRevisions: ['rev-a', 'rev-b'],
  evidence: 'required',
  minimumVersion: undefined,
  minimumCounter: 0,
  imageKeyId: 'image-1',
  boot: { format: 'mcuboot', headerSize: 512, slotSize: 4096, align: 8 },
  policies: ['p'],
  restrictedPolicies: [],
  deviceConfiguration: { region: 'eu' },
  enrollment: { approval: 'operator', serverKeys: 'never', binding: 'required' },
  certificateDays: 90,
  createdAt: 1,
  revision: 0,
});

const posture = (deviceId: string): PostureRecord => ({
  tenant: T,
  deviceId,
  posture: 'proven',
  reasons: [{ code: 'posture.below_minimum', words: 'old' }],
  since: 4,
  evidence: { digest: hex(1), version: '1.0.0', counter: 1, bootState: 'confirmed', releaseId: 'r1', at: 4 },
  revision: 0,
});

const value = (n: number, change: Partial<ReferenceValue> = {}): ReferenceValue => ({
  tenant: T,
  product: 'lamp',
  digest: hex(n),
  hardwareRevision: 'rev-a',
  version: `1.${n}.0`,
  counter: n,
  releaseId: undefined,
  recordedAt: n,
  ...change,
});

const nonce = (n: number): AttestationNonce => ({ nonceSha256: hex(n), tenant: T, deviceId: 'lamp-1', expiresAt: n });

describe('the posture repositories', () => {
  let opened: OpenStore;
  let all: PostureRepositories;
  const commit = (...writes: readonly Write[]): Promise<unknown> => opened.store.commit(writes);

  beforeEach(async () => {
    opened = await openStore({ location: ':memory:', clock: new ManualClock() });
    all = postureRepositories(opened.reader);
  });
  afterEach(() => opened.close());

  it('gives every record back as it was written', async () => {
    await commit(
      all.products.inserting(product('lamp')),
      all.postures.inserting(posture('lamp-1')),
      all.referenceValues.recording(value(1)),
      all.nonces.inserting(nonce(1)),
    );
    expect(await all.products.find(T, 'lamp')).toEqual(product('lamp'));
    expect(await all.postures.find(T, 'lamp-1')).toEqual(posture('lamp-1'));
    expect(await all.referenceValues.find(T, 'lamp', hex(1))).toEqual(value(1));
    expect(await all.nonces.find(hex(1))).toEqual(nonce(1));
  });

  it('changes a product or a posture only on the revision that was read', async () => {
    const [lamp, proven] = [product('lamp'), posture('lamp-1')];
    await commit(all.products.inserting(lamp), all.postures.inserting(proven));
    const change = { posture: 'unproven', reasons: [], since: 5, evidence: undefined } as const;
    await commit(all.products.changing(lamp, { minimumCounter: 2 }), all.postures.changing(proven, change));
    await expect(commit(all.products.changing(lamp, { evidence: 'none' }))).rejects.toThrowError(conflict);
    await expect(commit(all.postures.changing(proven, change))).rejects.toThrowError(conflict);
    expect(await all.products.find(T, 'lamp')).toEqual({ ...lamp, minimumCounter: 2, revision: 1 });
    expect(await all.postures.find(T, 'lamp-1')).toEqual({ ...proven, ...change, revision: 1 });
  });

  it('gives a challenge away once', async () => {
    await commit(all.nonces.inserting(nonce(2)), all.nonces.inserting(nonce(1)));
    expect((await all.nonces.ofDevice(T, 'lamp-1')).map(({ expiresAt }) => expiresAt)).toEqual([1, 2]);
    await commit(all.nonces.consuming(hex(1)));
    await expect(commit(all.nonces.consuming(hex(1)))).rejects.toThrowError(conflict);
    await commit(all.nonces.dropping(hex(1)), all.nonces.dropping(hex(2)));
    expect(await all.nonces.ofDevice(T, 'lamp-1')).toEqual([]);
  });

  it('knows the highest counter signed for a product and keeps the first record of a digest', async () => {
    expect(await all.referenceValues.highestCounter(T, 'lamp')).toBeUndefined();
    await commit(
      ...[3, 7, 5].map((n) => all.referenceValues.recording(value(n))),
      all.referenceValues.recording(value(9, { product: 'lock' })),
      all.referenceValues.recording(value(7, { counter: 99 })),
    );
    expect(await all.referenceValues.highestCounter(T, 'lamp')).toBe(7);
    expect((await all.referenceValues.list(T, 'lamp', 2)).map(({ counter }) => counter)).toEqual([7, 5]);
  });

  it('lists the postures of one product in pages', async () => {
    const { devices } = identityRepositories(opened.reader);
    for (const [i, name] of ['lamp', 'lamp', 'lock', 'lamp'].entries()) {
      const deviceId = `d-${i}`;
      const row: DeviceRecord = {
        tenant: T,
        deviceId,
        product: name,
        serialNumber: deviceId,
        hardwareRevision: 'rev-a',
        state: 'active',
        stateReason: undefined,
        attributes: {},
        ueid: undefined,
        attestationAnchor: undefined,
        claimId: undefined,
        createdAt: 1,
        enrolledAt: 1,
        revision: 0,
      };
      await commit(devices.inserting(row), all.postures.inserting(posture(deviceId)));
    }
    const first = await all.postures.listOfProduct(T, 'lamp', { limit: 2 });
    expect(first.rows.map(({ deviceId }) => deviceId)).toEqual(['d-0', 'd-1']);
    const second = await all.postures.listOfProduct(T, 'lamp', { after: first.next, limit: 2 });
    expect(second.rows).toEqual([posture('d-3')]);
    expect(second.next).toBeUndefined();
  });
});
