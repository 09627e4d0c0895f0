import { ArtifactAccess } from '@holdfast/trust/update';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceNamed } from '../../testing/fake-connection.ts';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../testing/update-world.ts';
import { artifactRoutes } from './artifact-routes.ts';
import type { DeviceRequest, DeviceResponse } from './device-route.ts';

const IMAGE = Uint8Array.from({ length: 3_000_000 }, (_, at) => at % 251);
const ETAG = `"${'0c'.repeat(32)}"`;

let world: UpdateWorld;
let jobId: string;
let open: number;
let reads: number[];

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct();
  await world.addRelease('r1');
  await world.addDevice('lamp');
  await world.addDevice('other');
  const target = { kind: 'devices', deviceIds: ['lamp'] } as const;
  jobId = (await world.rollouts.create(OPERATOR, { releaseId: 'r1', target, inProgressTimeoutMinutes: 60 })).rolloutId;
  open = 0;
  reads = [];
});
afterEach(() => world.opened.close());

const files = {
  open: () => {
    open += 1;
    return Promise.resolve({
      size: IMAGE.length,
      read: ({ start, end }: { start: number; end: number }) => {
        reads.push(end - start);
        return Promise.resolve(IMAGE.subarray(start, end));
      },
      close: () => {
        open -= 1;
        return Promise.resolve();
      },
    });
  },
};

interface Asked {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly deviceId?: string;
  readonly job?: string;
  readonly signal?: AbortSignal;
}

async function ask(asked: Asked = {}): Promise<DeviceResponse> {
  const { method = 'GET', headers = {}, deviceId = 'lamp', job = jobId, signal = new AbortController().signal } = asked;
  const routes = artifactRoutes({ access: new ArtifactAccess({ ...world.repositories, files }) });
  const route = routes.find((each) => each.method === method);
  if (route === undefined) throw new Error('no route');
  const request: DeviceRequest = {
    principal: deviceNamed(deviceId),
    method,
    path: `/artifacts/${job}`,
    params: { jobId: job },
    query: new URLSearchParams(),
    headers,
    body: new Uint8Array(0),
    remoteAddress: '::1',
    signal,
    channelBinding: () => undefined,
  };
  return route.handle(request);
}

async function bodyOf({ body }: DeviceResponse): Promise<Uint8Array> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) throw new Error('no stream');
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

const unknown = expect.objectContaining({ code: 'update.unknown_file' }) as unknown;

describe('the file of a job over HTTPS', () => {
  it('comes whole, in chunks of 1 MiB', async () => {
    const response = await ask();
    expect(response).toMatchObject({
      status: 200,
      headers: { 'accept-ranges': 'bytes', 'content-length': 3_000_000, etag: ETAG },
    });
    expect(Buffer.from(await bodyOf(response)).equals(IMAGE)).toBe(true);
    expect(reads).toEqual([1_048_576, 1_048_576, 902_848]);
    expect(open).toBe(0);
  });

  it('comes in part, for a download that goes on', async () => {
    const response = await ask({ headers: { range: 'bytes=2999990-', 'if-range': ETAG } });
    expect(response).toMatchObject({
      status: 206,
      headers: { 'content-length': 10, 'content-range': 'bytes 2999990-2999999/3000000' },
    });
    expect(await bodyOf(response)).toEqual(IMAGE.subarray(2_999_990));
  });

  it.each(['"another"', `W/${ETAG}`, 'Tue, 01 Sep 2026 10:00:00 GMT'])(
    'comes whole when the part is of another file: If-Range %s',
    async (ifRange) => {
      expect((await ask({ headers: { range: 'bytes=5-9', 'if-range': ifRange } })).status).toBe(200);
    },
  );

  it('has no part behind its end', async () => {
    const response = await ask({ headers: { range: 'bytes=3000000-' } });
    expect(response).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */3000000' } });
    expect(open).toBe(0);
  });

  it('tells its length and tag to HEAD, without a byte', async () => {
    const response = await ask({ method: 'HEAD' });
    expect(response).toMatchObject({ status: 200, headers: { 'content-length': 3_000_000, etag: ETAG } });
    expect(response.body).toBeUndefined();
    expect({ open, reads }).toEqual({ open: 0, reads: [] });
  });

  it.each(['GET', 'HEAD'] as const)('is refused to another device and for another job: %s', async (method) => {
    await expect(ask({ method, deviceId: 'other' })).rejects.toEqual(unknown);
    await expect(ask({ method, job: 'ro-none' })).rejects.toEqual(unknown);
    expect(open).toBe(0);
  });

  it('stops between two chunks when the rollout is cancelled, and is closed', async () => {
    const { body } = await ask();
    const chunks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    await chunks.next();
    await world.rollouts.cancel(OPERATOR, jobId);
    await expect(chunks.next()).rejects.toEqual(unknown);
    expect(open).toBe(0);
  });

  it('is closed when the peer goes away, before and during the transfer', async () => {
    const gone = new AbortController();
    await ask({ signal: gone.signal });
    gone.abort();
    await Promise.resolve();
    expect(open).toBe(0);
    const later = new AbortController();
    const { body } = await ask({ signal: later.signal });
    const chunks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    await chunks.next();
    later.abort();
    await expect(chunks.next()).rejects.toThrow();
    expect(open).toBe(0);
  });
});
