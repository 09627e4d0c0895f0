import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ManualClock, systemClock } from '@holdfast/kernel';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { describeBlobs, keysOf } from '../../../packages/server/src/engines/blobs/describe-blobs.ts';
import { parseS3Address } from '../../../packages/server/src/engines/blobs/s3-address.ts';
import { S3Blobs } from '../../../packages/server/src/engines/blobs/s3-blobs.ts';
import { TestSystem } from '../../../packages/server/src/system/testing/system.ts';

const MIB = 1_048_576;
const DAY_MS = 86_400_000;
const coded = (code: string) => expect.objectContaining({ code });

process.env['AWS_ACCESS_KEY_ID'] = 'test-key-id';
process.env['AWS_SECRET_ACCESS_KEY'] = 'test-secret';

let client: S3Client;
let made = 0;
beforeAll(() => {
  client = new S3Client({ endpoint: inject('s3'), region: 'eu-central-1', forcePathStyle: true });
});

async function freshBucket(): Promise<string> {
  const name = `bucket-${(made += 1)}`;
  const configuration = { LocationConstraint: 'eu-central-1' } as const;
  await client.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: configuration }));
  return name;
}

const urlOf = (bucket: string) => `s3://${bucket}/fleet/a?endpoint=${inject('s3')}&region=eu-central-1`;
const open = (bucket: string, options: Partial<Parameters<typeof S3Blobs.open>[0]> = {}) =>
  S3Blobs.open({ address: parseS3Address(urlOf(bucket)), clock: systemClock, graceMs: 0, ...options });

describeBlobs('a bucket', async () => open(await freshBucket()));

describe('S3Blobs', () => {
  it.each([8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB])('keeps %i bytes, whole and in any range', async (length) => {
    const blobs = await open(await freshBucket());
    const whole = Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 16)) % 256);
    async function* content(): AsyncIterable<Uint8Array> {
      for (let at = 0; at < length; at += 777_777) yield whole.subarray(at, at + 777_777);
    }
    expect(await blobs.put('large-blob', content())).toEqual({ size: length });
    const blob = await blobs.open('large-blob');
    expect(blob?.size).toBe(length);
    for (const [start, end] of [
      [0, MIB],
      [8 * MIB - 500, Math.min(8 * MIB + 500, length)],
      [length - 1, length],
    ] as const) {
      expect(Buffer.compare((await blob?.read({ start, end })) ?? new Uint8Array(), whole.subarray(start, end))).toBe(
        0,
      );
    }
  });

  it('leaves no parts behind when a large upload breaks off', async () => {
    const bucket = await freshBucket();
    const blobs = await open(bucket);
    async function* broken(): AsyncIterable<Uint8Array> {
      yield new Uint8Array(17 * MIB);
      throw new Error('the line broke');
    }
    await expect(blobs.put('never-there', broken())).rejects.toThrowError('the line broke');
    expect((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).toEqual([]);
  });

  it('ends at its start what was abandoned for a day, and nothing younger', async () => {
    const bucket = await freshBucket();
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'fleet/a/half-an-upload' }));
    const list = async () => (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
    const begunAt = (await list())[0]?.Initiated?.getTime() ?? 0;
    await open(bucket, { clock: new ManualClock(begunAt + DAY_MS - 1000) });
    expect(await list()).toHaveLength(1);
    await open(bucket, { clock: new ManualClock(begunAt + DAY_MS) });
    expect(await list()).toEqual([]);
  });

  it('does not list what another server may still be committing', async () => {
    const bucket = await freshBucket();
    await (await open(bucket)).put('just-stored', blobOf(3));
    expect(await keysOf(await open(bucket, { graceMs: 3_600_000 }))).toEqual([]);
  });

  it('touches nothing that lies beside its prefix', async () => {
    const bucket = await freshBucket();
    const other = parseS3Address(`s3://${bucket}/fleet?endpoint=${inject('s3')}&region=eu-central-1`);
    await (await S3Blobs.open({ address: other, clock: systemClock, graceMs: 0 })).put('not-ours-at-all', blobOf(3));
    expect(await keysOf(await open(bucket))).toEqual([]);
  });

  it('says that a bucket cannot be used, without its credentials', async () => {
    const error: unknown = await open('no-such-bucket').catch((thrown: unknown) => thrown);
    expect(error).toEqual(coded('store.unavailable'));
    expect(JSON.stringify(error)).not.toContain('test-secret');
  });
});

async function* blobOf(length: number): AsyncIterable<Uint8Array> {
  yield new Uint8Array(length);
}

describe('a server whose blobs lie in a bucket', () => {
  it('takes firmware, starts again, and has it still', async () => {
    const bucket = await freshBucket();
    const system = await TestSystem.start({ blobs: urlOf(bucket) });
    const { id } = await system.api.call('artifacts.upload', { octets: new Uint8Array(100_000).fill(7) });
    await system.stop();
    await system.start({ blobs: urlOf(bucket) });
    await system.addProduct('lamp');
    const body = { product: 'lamp', version: '1.0.0', securityCounter: 2, artifactId: id };
    expect((await system.api.call('releases.create', { body })).version).toBe('1.0.0');
    expect(await keysOf(await open(bucket))).toContain(id);
    await system.close();
  });
});
