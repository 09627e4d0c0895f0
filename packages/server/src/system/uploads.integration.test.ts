import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { ApiProblem, OPERATIONS } from '@holdfast/api';
import { seededRandom } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../protocols/gateway/testing/mqtt-client.ts';
import { TestSystem } from './testing/system.ts';

const MIB = 1024 * 1024;

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
});
afterAll(() => system.close());

const blobs = (): readonly string[] =>
  readdirSync(path.join(system.data, 'blobs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

/** Sends this much of a body that was announced as longer, then breaks off. */
function breakOff(announced: number, sent: number): Promise<void> {
  return new Promise((resolve) => {
    const outgoing = request({
      socketPath: path.join(system.data, 'holdfast.sock'),
      method: 'POST',
      path: OPERATIONS['artifacts.upload'].path,
      headers: { host: 'localhost', 'content-type': 'application/octet-stream', 'content-length': announced },
    });
    outgoing.on('error', () => undefined);
    outgoing.once('close', () => resolve());
    const chunk = Buffer.alloc(MIB, 0x5a);
    let left = sent;
    const more = (): void => {
      while (left > 0) {
        const part = left >= MIB ? chunk : chunk.subarray(0, left);
        left -= part.length;
        if (!outgoing.write(part)) {
          outgoing.once('drain', more);
          return;
        }
      }
      outgoing.destroy();
    };
    more();
  });
}

describe('an upload that breaks off', () => {
  it.each([
    ['200 MB in the middle', 200 * MIB, 100 * MIB],
    ['before its first byte', 10 * MIB, 0],
    ['one byte before its end', 2 * MIB, 2 * MIB - 1],
  ])('%s leaves nothing behind and costs no memory', { timeout: 30_000 }, async (_, announced, sent) => {
    const before = { files: blobs(), entries: (await system.actions()).length, rss: process.memoryUsage.rss() };
    await breakOff(announced, sent);
    await expect.poll(blobs, { timeout: 5_000 }).toEqual(before.files);
    expect(process.memoryUsage.rss() - before.rss).toBeLessThan(150 * MIB);
    expect((await system.actions()).length).toBe(before.entries);
    expect((await system.api.call('releases.list', {})).rows).toEqual([]);
  });

  it('by the death of the client or of the server leaves nothing after the next start', async () => {
    const before = blobs();
    const cut = breakOff(50 * MIB, 40 * MIB);
    await pause(20);
    await system.stop();
    await cut;
    await system.start();
    expect(blobs()).toEqual(before);
    expect(await system.code(system.api.call('status.show', {}))).toBe('done');
  });

  it('is no reason to refuse the next one', async () => {
    const octets = seededRandom(1).bytes(MIB);
    const artifact = await system.api.call('artifacts.upload', { octets });
    expect(artifact.length).toBe(MIB);
  });
});

describe('an image as a release', () => {
  let image: Uint8Array;
  beforeAll(async () => {
    const { id: artifactId } = await system.api.call('artifacts.upload', { octets: seededRandom(2).bytes(40_000) });
    const body = { product: 'lamp', version: '1.0.0', securityCounter: 1, artifactId };
    const { id: release } = await system.api.call('releases.create', { body });
    image = await system.api.call('releases.image', { release });
  });

  async function publish(octets: Uint8Array): Promise<{ readonly status: number; readonly code: string }> {
    const { id: artifactId } = await system.api.call('artifacts.upload', { octets });
    const body = { product: 'lamp', version: '1.0.1', securityCounter: 1, artifactId, signed: true };
    return system.api.call('releases.create', { body }).then(
      () => ({ status: 200, code: 'done' }),
      (error: unknown) => (error instanceof ApiProblem ? error.problem : { status: -1, code: String(error) }),
    );
  }

  it('is refused at every length it is cut to, with one coded error each', async () => {
    const { length } = image;
    const lengths = [1, 16, 31, 32, 33, 511, 512, 513, 20_000, length - 200, length - 72, length - 4, length - 1];
    for (const at of lengths) {
      const { status, code } = await publish(image.subarray(0, at));
      expect([at, status >= 400 && status < 500, /^(boot|wire|crypto|update)\./.test(code)]).toEqual([at, true, true]);
    }
    expect(await system.code(system.api.call('artifacts.upload', { octets: new Uint8Array() }))).not.toMatch(
      /internal/,
    );
    expect((await system.api.call('releases.list', {})).rows).toHaveLength(1);
  });

  it('is refused with any bit of it flipped or any byte behind it', async () => {
    for (let at = 0; at < image.length; at += 1_777) {
      const flipped = Uint8Array.from(image);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      const { status, code } = await publish(flipped);
      expect([at, status >= 400 && status < 500, code]).toEqual([
        at,
        true,
        expect.stringMatching(/^(boot|wire|crypto|update)\./),
      ]);
    }
    const { status } = await publish(Buffer.concat([image, Buffer.from('x')]));
    expect(status).toBeGreaterThanOrEqual(400);
  });

  it('that another key signed, or that is already published under another version, is refused', async () => {
    await system.addProduct('lock');
    const { id: artifactId } = await system.api.call('artifacts.upload', { octets: image });
    const body = { product: 'lock', version: '1.0.0', securityCounter: 1, artifactId, signed: true };
    expect(await system.code(system.api.call('releases.create', { body }))).toBe('update.image_refused');
    expect((await publish(image)).status).toBeGreaterThanOrEqual(400);
  });

  it('of an artifact nobody uploaded is refused', async () => {
    const body = { product: 'lamp', version: '3.0.0', securityCounter: 1, artifactId: 'a'.repeat(32) };
    expect(await system.code(system.api.call('releases.create', { body }))).toBe('update.unknown_artifact');
  });
});
