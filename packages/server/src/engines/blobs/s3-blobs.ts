import type * as Amazon from '@aws-sdk/client-s3';
import { type Clock, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type { BlobEngine, ByteRange, OpenBlob } from '@holdfast/trust/ports';
import type { S3Address } from './s3-address.ts';

const KEY = /^[a-z0-9][a-z0-9-]{7,127}$/;
/** Amazon takes 5 MiB to 5 GiB a part and 10,000 parts: 80 GiB an object, in memory two parts at most. */
const PART = 8 * 1_048_576;
const HOUR_MS = 3_600_000;
/** Uploads that another server may still be at are younger than this. */
const ABANDONED_MS = 24 * HOUR_MS;
const FULL: ReadonlySet<string> = new Set([
  'QuotaExceeded',
  'EntityTooLarge',
  'XMinioStorageFull',
  'InsufficientStorage',
]);
const MISSING: ReadonlySet<string> = new Set(['NotFound', 'NoSuchKey']);

type Sdk = typeof Amazon;

export interface S3BlobsOptions {
  readonly address: S3Address;
  readonly clock: Clock;
  /** Blobs younger than this are not listed: another server may be about to commit their rows. */
  readonly graceMs?: number;
}

/**
 * Blobs in a bucket of any store that speaks the protocol of Amazon S3; whoever holds the bucket sees sealed bytes.
 *
 * Credentials come from where Amazon's own tools take them: environment, `~/.aws`, or the machine's role.
 */
export class S3Blobs implements BlobEngine {
  readonly #sdk: Sdk;
  readonly #client: Amazon.S3Client;
  readonly #address: S3Address;
  readonly #clock: Clock;
  readonly #graceMs: number;

  private constructor(sdk: Sdk, { address, clock, graceMs = HOUR_MS }: S3BlobsOptions) {
    this.#sdk = sdk;
    this.#address = address;
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#client = new sdk.S3Client({
      ...(address.endpoint === undefined ? {} : { endpoint: address.endpoint }),
      ...(address.region === undefined ? {} : { region: address.region }),
      forcePathStyle: address.pathStyle,
      // Every object proves itself when it is opened; other stores refuse Amazon's newer checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: 5000, requestTimeout: 60_000 },
    });
  }

  /** Looks whether the bucket can be used and ends uploads that were abandoned. @throws `store.unavailable` */
  static async open(options: S3BlobsOptions): Promise<S3Blobs> {
    const blobs = new S3Blobs(await import('@aws-sdk/client-s3'), options);
    await blobs.#try('opening the bucket', async () => {
      const { HeadBucketCommand } = blobs.#sdk;
      await blobs.#client.send(new HeadBucketCommand({ Bucket: options.address.bucket }));
      await blobs.#endAbandoned();
    });
    return blobs;
  }

  close(): void {
    this.#client.destroy();
  }

  /** One request for a small object, parts for a large one: either appears whole or not at all. */
  async put(key: string, content: AsyncIterable<Uint8Array>): Promise<{ readonly size: number }> {
    const place = this.#placeOf(key);
    const parts = inParts(content);
    const first = (await parts.next()).value ?? new Uint8Array(0);
    if (first.length < PART) {
      const { PutObjectCommand } = this.#sdk;
      await this.#try('storing a blob', () => this.#client.send(new PutObjectCommand({ ...place, Body: first })));
      return { size: first.length };
    }
    const { CreateMultipartUploadCommand, AbortMultipartUploadCommand } = this.#sdk;
    const { UploadId } = await this.#try('storing a blob', () =>
      this.#client.send(new CreateMultipartUploadCommand(place)),
    );
    const upload = { ...place, UploadId };
    try {
      return await this.#putParts(upload, first, parts);
    } catch (error) {
      // The first failure is the one to tell; what this leaves is ended at a later start.
      await this.#client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
      throw error;
    }
  }

  async open(key: string): Promise<OpenBlob | undefined> {
    const found = await this.stat(key);
    if (!found) return undefined;
    const { size } = found;
    return { size, read: (range) => this.#read(key, size, range), close: () => Promise.resolve() };
  }

  async stat(key: string): Promise<{ readonly size: number } | undefined> {
    const { HeadObjectCommand } = this.#sdk;
    const place = this.#placeOf(key);
    return this.#try('looking at a blob', async () => {
      try {
        const { ContentLength } = await this.#client.send(new HeadObjectCommand(place));
        return { size: ContentLength ?? 0 };
      } catch (error) {
        if (MISSING.has(nameOf(error))) return undefined;
        throw error;
      }
    });
  }

  async delete(key: string): Promise<void> {
    const { DeleteObjectCommand } = this.#sdk;
    const place = this.#placeOf(key);
    await this.#try('deleting a blob', () => this.#client.send(new DeleteObjectCommand(place)));
  }

  async *keys(): AsyncIterable<string> {
    const { ListObjectsV2Command } = this.#sdk;
    const { bucket: Bucket, prefix: Prefix } = this.#address;
    for (let token: string | undefined, more = true; more; ) {
      const asked = { Bucket, Prefix, ...(token === undefined ? {} : { ContinuationToken: token }) };
      const page = await this.#try('listing blobs', () => this.#client.send(new ListObjectsV2Command(asked)));
      for (const object of page.Contents ?? []) {
        const key = object.Key?.slice(Prefix.length) ?? '';
        if (KEY.test(key) && this.#isSettled(object)) yield key;
      }
      token = page.NextContinuationToken;
      more = token !== undefined;
    }
  }

  #isSettled({ LastModified }: Amazon._Object): boolean {
    return this.#graceMs === 0 || (LastModified?.getTime() ?? Infinity) <= this.#clock.now() - this.#graceMs;
  }

  async #putParts(
    upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined },
    first: Uint8Array,
    rest: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly size: number }> {
    const { UploadPartCommand, CompleteMultipartUploadCommand } = this.#sdk;
    const done: { readonly PartNumber: number; readonly ETag: string | undefined }[] = [];
    let size = 0;
    const send = async (Body: Uint8Array) => {
      const PartNumber = done.length + 1;
      const { ETag } = await this.#try('storing a blob', () =>
        this.#client.send(new UploadPartCommand({ ...upload, PartNumber, Body })),
      );
      done.push({ PartNumber, ETag });
      size += Body.length;
    };
    await send(first);
    for await (const part of rest) await send(part);
    await this.#try('storing a blob', () =>
      this.#client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: done } })),
    );
    return { size };
  }

  async #read(key: string, size: number, { start, end }: ByteRange): Promise<Uint8Array> {
    if (!(start >= 0 && start <= end && end <= size))
      throw new HoldfastError('storage.bad_range', { start, end, size });
    if (start === end) return new Uint8Array(0);
    const { GetObjectCommand } = this.#sdk;
    const asked = { ...this.#placeOf(key), Range: `bytes=${start}-${end - 1}` };
    return this.#try('reading a blob', async () => {
      try {
        const { Body, ContentLength } = await this.#client.send(new GetObjectCommand(asked));
        // A store that gives the whole object instead of the range would fill the memory.
        if (ContentLength !== end - start || !Body) throw new HoldfastError('storage.corrupt', { size, end });
        const bytes = await Body.transformToByteArray();
        if (bytes.length !== end - start) throw new HoldfastError('storage.corrupt', { size, end });
        return bytes;
      } catch (error) {
        if (MISSING.has(nameOf(error)) || nameOf(error) === 'InvalidRange') {
          throw new HoldfastError('storage.corrupt', { size, end }, { cause: error });
        }
        throw error;
      }
    });
  }

  /** Parts of an upload that nobody completes are paid for and never listed. */
  async #endAbandoned(): Promise<void> {
    const { ListMultipartUploadsCommand, AbortMultipartUploadCommand } = this.#sdk;
    const { bucket: Bucket, prefix: Prefix } = this.#address;
    const { Uploads } = await this.#client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
    const before = this.#clock.now() - ABANDONED_MS;
    for (const { Key, UploadId, Initiated } of Uploads ?? []) {
      if ((Initiated?.getTime() ?? Infinity) > before) continue;
      await this.#client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
  }

  #placeOf(key: string): { readonly Bucket: string; readonly Key: string } {
    if (!KEY.test(key)) throw new HoldfastError('kernel.internal', { reason: 'not a blob key' });
    return { Bucket: this.#address.bucket, Key: `${this.#address.prefix}${key}` };
  }

  async #try<Value>(doing: string, action: () => Promise<Value>): Promise<Value> {
    try {
      return await action();
    } catch (error) {
      if (HoldfastError.is(error)) throw error;
      const name = nameOf(error);
      const code: ErrorCode = FULL.has(name) ? 'store.full' : 'store.unavailable';
      throw new HoldfastError(code, { doing, answer: name }, { cause: error });
    }
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

/** Cuts content into pieces of exactly `PART` bytes; the last, or the only one, is shorter. */
async function* inParts(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  let part = new Uint8Array(PART);
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(piece.length - at, PART - filled);
      part.set(piece.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === PART) {
        yield part;
        part = new Uint8Array(PART);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
