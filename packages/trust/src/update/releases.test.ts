import {
  createSigner,
  generatePrivateKey,
  keyIdOf,
  type PrivateKey,
  sha256,
  signDsse,
  type Signer,
} from '@holdfast/crypto';
import { encodeHex, encodeUtf8, type JsonValue, parseStrictJson, seededRandom } from '@holdfast/kernel';
import { decodeDsseEnvelope, encodePae } from '@holdfast/wire/dsse';
import {
  decodeReleaseManifest,
  encodeReleaseRoot,
  MANIFEST_PAYLOAD_TYPE,
  ROOT_PAYLOAD_TYPE,
} from '@holdfast/wire/manifest';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../../server/src/testing/update-world.ts';
import { ImageSigner, ImageVerifier, ReferenceValues } from '../boot/index.ts';
import type { ReleaseRecord } from '../ports/index.ts';
import { ArtifactAccess, FileStreams, Manifests, ReleaseRoots, Releases, type ReleaseWish } from './index.ts';

let imageKey: PrivateKey;
let rootKey: PrivateKey;
let otherKey: PrivateKey;

beforeAll(async () => {
  imageKey = await generatePrivateKey('P-256');
  rootKey = await generatePrivateKey('P-256');
  otherKey = await generatePrivateKey('P-256');
});

let world: UpdateWorld;
let images: Map<string, Uint8Array>;
let roots: ReleaseRoots;
let releases: Releases;
let manifests: Manifests;

const coded = (code: string) => expect.objectContaining({ code }) as unknown;

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct({ hardwareRevisions: ['rev-a'] });
  images = new Map();
  const { clock, opened, repositories } = world;
  const { store, audit, outbox } = opened;
  const base = { ...repositories, clock, store, audit, outbox, random: seededRandom(5) };
  const signer = createSigner(rootKey);
  const keys = {
    create: () => Promise.resolve({ keyId: 'root-1', signer }),
    signer: () => Promise.resolve(signer),
  };
  roots = new ReleaseRoots({ ...base, keys });
  await roots.ensure('default');
  manifests = new Manifests({ roots });
  releases = new Releases({
    ...base,
    referenceValues: new ReferenceValues(base),
    roots,
    files,
    fileSigner: () => Promise.resolve(createSigner(imageKey)),
    images: {
      verify: (_product, image, minCounter) =>
        Promise.resolve(new ImageVerifier('mcuboot', [imageKey.publicKey.spki]).verify(image, { minCounter })),
      sign: (_product, firmware, { version, counter }) => signed(firmware, version, counter),
    },
  });
});
afterEach(() => world.opened.close());

const files = {
  open(_tenant: string, artifactId: string) {
    const image = images.get(artifactId);
    return Promise.resolve(
      image && {
        size: image.length,
        read: ({ start, end }: { start: number; end: number }) => Promise.resolve(image.subarray(start, end)),
        close: () => Promise.resolve(),
      },
    );
  },
  store(_tenant: string, image: Uint8Array) {
    images.set('signed-here', image);
    return Promise.resolve('signed-here');
  },
};

async function signed(firmware: Uint8Array, version: string, counter: number, key: PrivateKey = imageKey) {
  const options = { version: parseVersion(version), headerSize: 512, padHeader: true, securityCounter: counter };
  const image = await new ImageSigner({ signer: createSigner(key) }).sign('mcuboot', firmware, options);
  return image.bytes;
}

async function upload(version: string, counter: number, fill = 1): Promise<ReleaseWish> {
  const artifactId = `a-${version}-${counter}-${fill}`;
  images.set(artifactId, await signed(new Uint8Array(3000).fill(fill), version, counter));
  return { product: 'lamp', hardwareRevision: undefined, version, counter, artifactId, signed: true };
}

async function publish(version: string, counter: number): Promise<ReleaseRecord> {
  return releases.create(OPERATOR, await upload(version, counter));
}

async function raiseFloor(minimumCounter: number): Promise<void> {
  const { products } = world.repositories;
  const product = await products.find('default', 'lamp');
  if (product === undefined) throw new Error('no product');
  await world.opened.store.commit([products.changing(product, { minimumCounter })]);
}

describe('a release', () => {
  it('binds what was judged to a manifest under the release root', async () => {
    const release = await publish('1.2.0', 3);
    const image = images.get('a-1.2.0-3-1') ?? new Uint8Array(0);
    const manifest = decodeReleaseManifest(decodeDsseEnvelope(encodeUtf8(release.manifest)).payload);
    expect(manifest).toEqual({
      tenant: 'default',
      product: 'lamp',
      hardwareRevision: 'rev-a',
      version: '1.2.0',
      securityCounter: 3,
      imageSha256: sha256(image),
      length: image.length,
      sequence: 1,
    });
    expect(release).toMatchObject({ state: 'published', signatures: 1, threshold: 1, imageLength: image.length });
    expect(release.streamId.length).toBeLessThanOrEqual(44);
    expect(await releases.show('default', release.releaseId)).toEqual(release);
  });

  it('records the reference value that evidence is compared with', async () => {
    const { measurement, releaseId } = await publish('1.2.0', 3);
    expect(await world.repositories.referenceValues.find('default', 'lamp', measurement)).toMatchObject({
      version: '1.2.0',
      counter: 3,
      releaseId,
    });
  });

  it('is made from raw firmware with the image key of the product', async () => {
    images.set('raw', new Uint8Array(500).fill(7));
    const wish = { product: 'lamp', hardwareRevision: 'rev-a', version: '2.0.0', counter: 1, artifactId: 'raw' };
    const release = await releases.create(OPERATOR, { ...wish, signed: false });
    expect(release.artifactId).toBe('signed-here');
    expect(release.imageSha256).toBe(encodeHex(sha256(images.get('signed-here') ?? new Uint8Array(0))));
  });

  it('rises in sequence, withdrawn ones counted', async () => {
    const first = await publish('1.0.0', 1);
    await releases.cancel(OPERATOR, first.releaseId);
    expect((await publish('1.1.0', 1)).sequence).toBe(2);
  });

  it('is withdrawn once', async () => {
    const { releaseId } = await publish('1.0.0', 1);
    expect((await releases.cancel(OPERATOR, releaseId)).state).toBe('cancelled');
    await expect(releases.cancel(OPERATOR, releaseId)).rejects.toEqual(coded('update.release_cancelled'));
    await expect(releases.cancel(OPERATOR, 're-none')).rejects.toEqual(coded('update.unknown_release'));
  });

  it('never gives a version other content, even after it was withdrawn', async () => {
    const { releaseId } = await publish('1.0.0', 1);
    await expect(releases.create(OPERATOR, await upload('1.0.0', 1, 9))).rejects.toEqual(
      coded('update.version_exists'),
    );
    await releases.cancel(OPERATOR, releaseId);
    await expect(releases.create(OPERATOR, await upload('1.0.0', 1, 9))).rejects.toEqual(
      coded('update.version_exists'),
    );
  });

  it('is made once when two ask for the same version at once', async () => {
    const one = await upload('1.0.0', 1);
    const two = await upload('1.0.0', 1, 9);
    const outcomes = await Promise.allSettled([releases.create(OPERATOR, one), releases.create(OPERATOR, two)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await releases.list('default', { limit: 10 })).rows).toHaveLength(1);
  });

  it('is refused below the floor and below what was published', async () => {
    await publish('1.0.0', 3);
    await expect(publish('1.1.0', 2)).rejects.toEqual(coded('update.counter_below_highest'));
    await raiseFloor(5);
    await expect(publish('1.1.0', 4)).rejects.toEqual(coded('update.counter_below_floor'));
    expect((await publish('1.1.0', 5)).counter).toBe(5);
  });

  it.each<[string, string, (wish: ReleaseWish) => Promise<ReleaseWish> | ReleaseWish]>([
    ['an unknown product', 'update.unknown_product', (wish) => ({ ...wish, product: 'lock' })],
    ['an unknown hardware revision', 'update.unknown_hardware', (wish) => ({ ...wish, hardwareRevision: 'rev-z' })],
    ['an image that was not uploaded', 'update.unknown_artifact', (wish) => ({ ...wish, artifactId: 'none' })],
    ['another version than the image states', 'update.image_mismatch', (wish) => ({ ...wish, version: '1.0.1' })],
    ['another counter than the image states', 'update.image_mismatch', (wish) => ({ ...wish, counter: 4 })],
  ])('is refused for %s', async (_title, code, change) => {
    await expect(releases.create(OPERATOR, await change(await upload('1.0.0', 3)))).rejects.toEqual(coded(code));
  });

  it.each<[string, (image: Uint8Array) => Promise<Uint8Array> | Uint8Array]>([
    ['one flipped bit', (image) => image.map((byte, at) => (at === 900 ? byte ^ 1 : byte))],
    ['its signature cut off', (image) => image.subarray(0, image.length - 80)],
    ['nothing in it', () => new Uint8Array(0)],
    ['another key', () => signed(new Uint8Array(3000), '1.0.0', 3, otherKey)],
  ])('is refused for an image with %s', async (_title, change) => {
    const wish = await upload('1.0.0', 3);
    images.set(wish.artifactId, await change(images.get(wish.artifactId) ?? new Uint8Array(0)));
    await expect(releases.create(OPERATOR, wish)).rejects.toEqual(coded('update.image_refused'));
    expect(await world.repositories.releases.highestCounter('default', 'lamp', 'rev-a')).toBeUndefined();
  });

  it('is refused for an image that does not fit its slot', async () => {
    await world.addProduct({ name: 'small', boot: { format: 'mcuboot', headerSize: 512, slotSize: 2048, align: 8 } });
    const wish = { ...(await upload('1.0.0', 3)), product: 'small', hardwareRevision: 'rev-a' };
    await expect(releases.create(OPERATOR, wish)).rejects.toEqual(coded('update.image_refused'));
  });

  it('is refused for an image that was published for another hardware revision', async () => {
    await world.addProduct({ name: 'two', hardwareRevisions: ['rev-a', 'rev-b'] });
    const wish = { ...(await upload('1.0.0', 3)), product: 'two', hardwareRevision: 'rev-a' };
    await releases.create(OPERATOR, wish);
    const again = { ...wish, hardwareRevision: 'rev-b' };
    await expect(releases.create(OPERATOR, again)).rejects.toEqual(coded('update.image_reused'));
    const unnamed = { ...wish, version: '1.1.0', hardwareRevision: undefined };
    await expect(releases.create(OPERATOR, unnamed)).rejects.toEqual(coded('update.unknown_hardware'));
  });
});

describe('a release root of two keys', () => {
  let outside: Signer;

  beforeEach(async () => {
    outside = createSigner(otherKey);
    const local = createSigner(rootKey);
    const root = { version: 2, threshold: 2, keys: [local.publicKeySpki, outside.publicKeySpki] };
    const document = await signDsse(ROOT_PAYLOAD_TYPE, encodeReleaseRoot(root), [local, outside]);
    const record = { tenant: 'default', version: 2, localKeyIds: ['root-1'], createdAt: 0 };
    await world.opened.store.commit([
      world.repositories.releaseRoots.inserting({ ...record, document: new TextDecoder().decode(document) }),
    ]);
  });

  it('publishes nothing that one of them alone signed', async () => {
    await expect(publish('1.0.0', 1)).rejects.toEqual(coded('update.signatures_missing'));
  });

  it('takes the missing signature from outside', async () => {
    const wish = { ...(await upload('1.0.0', 1)), signed: true } as const;
    const payload = await releases.payloadToSign(OPERATOR, wish);
    const signature = await outside.sign(encodePae(MANIFEST_PAYLOAD_TYPE, payload));
    const keyId = keyIdOf(outside.publicKeySpki);
    expect(await releases.create(OPERATOR, wish, [{ keyId, signature }])).toMatchObject({
      signatures: 2,
      threshold: 2,
    });
  });

  it('does not count the local key twice', async () => {
    const wish = { ...(await upload('1.0.0', 1)), signed: true } as const;
    const payload = await releases.payloadToSign(OPERATOR, wish);
    const signature = await createSigner(rootKey).sign(encodePae(MANIFEST_PAYLOAD_TYPE, payload));
    const twice = releases.create(OPERATOR, wish, [{ keyId: 'another-name', signature }]);
    await expect(twice).rejects.toEqual(coded('update.signatures_missing'));
  });
});

describe('the release root', () => {
  it('is made once, one key of one, and audited', async () => {
    const { root, localKeyIds, document } = await roots.ensure('default');
    expect(root).toMatchObject({ version: 1, threshold: 1 });
    expect(localKeyIds).toEqual(['root-1']);
    expect((await roots.ensure('default')).document).toBe(document);
  });

  it('is refused when its document is not signed by itself', async () => {
    const payload = encodeReleaseRoot({ version: 2, threshold: 1, keys: [createSigner(rootKey).publicKeySpki] });
    const document = new TextDecoder().decode(await signDsse(ROOT_PAYLOAD_TYPE, payload, [createSigner(otherKey)]));
    const record = { tenant: 'default', version: 2, document, localKeyIds: ['root-1'], createdAt: 0 };
    await world.opened.store.commit([world.repositories.releaseRoots.inserting(record)]);
    await expect(roots.inForce('default')).rejects.toEqual(coded('update.manifest_refused'));
  });
});

describe('the manifest given out', () => {
  it('holds for the release it was signed for', async () => {
    const release = await publish('1.0.0', 3);
    expect(await manifests.refusalOf(release, parseStrictJson(release.manifest))).toBeUndefined();
  });

  const changes: readonly [string, Partial<ReleaseRecord>][] = [
    ['product', { product: 'lock' }],
    ['hardware revision', { hardwareRevision: 'rev-b' }],
    ['version', { version: '1.0.1' }],
    ['counter', { counter: 2 }],
    ['sequence', { sequence: 9 }],
    ['image hash', { imageSha256: '00'.repeat(32) }],
    ['length', { imageLength: 1 }],
  ];

  it.each(changes)('is refused when the stored %s is another', async (_title, change) => {
    const release = await publish('1.0.0', 3);
    const manifest = parseStrictJson(release.manifest);
    expect(await manifests.refusalOf({ ...release, ...change }, manifest)).toBe('update.manifest_refused');
  });

  it.each<[string, (release: ReleaseRecord) => Promise<JsonValue> | JsonValue]>([
    ['of another release', async () => parseStrictJson((await publish('1.1.0', 3)).manifest)],
    ['without signature', ({ manifest }) => ({ ...(parseStrictJson(manifest) as object), signatures: [] })],
    ['that is no envelope', () => ({ hello: 1 })],
    ['that is no object', () => 7],
    [
      'signed by a key the root does not name',
      async ({ manifest }) => {
        const { payload } = decodeDsseEnvelope(encodeUtf8(manifest));
        return parseStrictJson(await signDsse(MANIFEST_PAYLOAD_TYPE, payload, [createSigner(otherKey)]));
      },
    ],
    [
      'signed as another type of document',
      async ({ manifest }) => {
        const { payload } = decodeDsseEnvelope(encodeUtf8(manifest));
        return parseStrictJson(await signDsse(ROOT_PAYLOAD_TYPE, payload, [createSigner(rootKey)]));
      },
    ],
  ])('is refused %s', async (_title, forge) => {
    const release = await publish('1.0.0', 3);
    expect(await manifests.refusalOf(release, await forge(release))).toBe('update.manifest_refused');
  });
});

describe('the file of a release', () => {
  let access: ArtifactAccess;
  let streams: FileStreams;

  beforeEach(() => {
    access = new ArtifactAccess({ ...world.repositories, files });
    streams = new FileStreams({ access });
  });

  const wish = { fileId: 0, version: 1, blockBytes: 1024, offset: 0, count: undefined, bitmap: undefined };
  const rollout = async (releaseId: string) => {
    const target = { kind: 'devices', deviceIds: ['a'] } as const;
    return (await world.rollouts.create(OPERATOR, { releaseId, target, inProgressTimeoutMinutes: 5 })).rolloutId;
  };

  it('is read by the device whose execution is open, by job and by stream', async () => {
    const release = await publish('1.0.0', 1);
    const a = await world.addDevice('a');
    const jobId = await rollout(release.releaseId);
    const image = images.get(release.artifactId) ?? new Uint8Array(0);
    const file = await access.openForJob(a, jobId);
    expect(await file.read({ start: 10, end: 20 })).toEqual(image.subarray(10, 20));
    expect(await streams.describe(a, release.streamId)).toEqual({
      version: 1,
      description: 'lamp 1.0.0',
      files: [{ fileId: 0, size: image.length }],
    });
    const all = await streams.get(a, release.streamId, wish);
    if (all.kind !== 'blocks') throw new Error(all.code);
    expect(all.blocks.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(Buffer.concat(all.blocks.map(({ bytes }) => bytes)).equals(image)).toBe(true);
    const some = await streams.get(a, release.streamId, { ...wish, bitmap: Uint8Array.of(0b1011) });
    if (some.kind !== 'blocks') throw new Error(some.code);
    expect(some.blocks[2]).toEqual({ index: 3, bytes: image.subarray(3072) });
    expect(await streams.get(a, release.streamId, { ...wish, blockBytes: 1 })).toEqual({
      kind: 'refused',
      code: 'BlockSizeOutOfBounds',
    });
    await expect(streams.get(a, release.streamId, { ...wish, version: 2 })).rejects.toEqual(
      coded('update.stream_version'),
    );
    await expect(streams.get(a, release.streamId, { ...wish, fileId: 1 })).rejects.toEqual(
      coded('update.unknown_file'),
    );
  });

  it('is refused to every other device at every verb', async () => {
    const release = await publish('1.0.0', 1);
    await world.addDevice('a');
    const b = await world.addDevice('b');
    const jobId = await rollout(release.releaseId);
    const attempts = [
      () => access.openForJob(b, jobId),
      () => access.openForStream(b, release.streamId),
      () => streams.describe(b, release.streamId),
      () => streams.get(b, release.streamId, wish),
      () => access.openForJob({ ...b, deviceId: 'a', tenant: 'elsewhere' }, jobId),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toEqual(coded('update.unknown_file'));
  });

  it.each<[string, (jobId: string, releaseId: string) => Promise<unknown>]>([
    ['the rollout is cancelled', (jobId) => world.rollouts.cancel(OPERATOR, jobId)],
    ['the execution ends', (jobId) => world.jobs.update({ ...device, deviceId: 'a' }, jobId, { status: 'FAILED' })],
    ['the device is revoked', () => world.control.cancelAllOf('default', 'a', 'device.revoked')],
    ['the release is withdrawn', (_jobId, releaseId) => releases.cancel(OPERATOR, releaseId)],
    ['the floor rises above it', () => raiseFloor(9)],
  ])('stops in the middle when %s', async (_title, act) => {
    const release = await publish('1.0.0', 1);
    const a = await world.addDevice('a');
    const jobId = await rollout(release.releaseId);
    const file = await access.openForJob(a, jobId);
    await file.read({ start: 0, end: 1 });
    await act(jobId, release.releaseId);
    await expect(file.read({ start: 1, end: 2 })).rejects.toEqual(coded('update.unknown_file'));
    await expect(access.openForJob(a, jobId)).rejects.toEqual(coded('update.unknown_file'));
    await expect(streams.get(a, release.streamId, wish)).rejects.toEqual(coded('update.unknown_file'));
  });

  it('does not exist for a job that is not firmware, nor when the stored image is gone', async () => {
    const release = await publish('1.0.0', 1);
    const a = await world.addDevice('a');
    const job = { jobId: 'j', deviceIds: ['a'], document: { operation: 'x' }, inProgressTimeoutMinutes: undefined };
    await world.control.create(OPERATOR, job);
    await expect(access.openForJob(a, 'j')).rejects.toEqual(coded('update.unknown_file'));
    const jobId = await rollout(release.releaseId);
    images.clear();
    await expect(access.openForJob(a, jobId)).rejects.toEqual(coded('update.unknown_file'));
  });
});

const device = { kind: 'device', tenant: 'default', fingerprint: '00'.repeat(32) } as const;
