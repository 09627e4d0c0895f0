import { HoldfastError } from '@holdfast/kernel';
import type { BlobEngine } from '@holdfast/trust/ports';
import { beforeEach, describe, expect, it } from 'vitest';

const coded = (code: string) => expect.objectContaining({ code });

/** What every blob engine must do, wherever the bytes lie. */
export function describeBlobs(name: string, openEmpty: () => Promise<BlobEngine>): void {
  describe(`${name} as a blob engine`, () => {
    let blobs: BlobEngine;
    beforeEach(async () => {
      blobs = await openEmpty();
    });

    it('gives back any range of what was put', async () => {
      const whole = Uint8Array.from({ length: 1000 }, (_, at) => at % 251);
      expect(await blobs.put('lamp-firmware', pieces(whole, 77))).toEqual({ size: 1000 });
      const blob = await blobs.open('lamp-firmware');
      expect(blob?.size).toBe(1000);
      for (const [start, end] of [
        [0, 1000],
        [0, 0],
        [999, 1000],
        [76, 78],
        [1000, 1000],
      ] as const) {
        expect(await blob?.read({ start, end })).toEqual(whole.slice(start, end));
      }
      await blob?.close();
    });

    it.each([
      [0, 1001],
      [-1, 3],
      [5, 4],
      [1001, 1001],
      [Number.NaN, 4],
    ])('refuses the range %s to %s of 1000 bytes', async (start, end) => {
      await blobs.put('lamp-firmware', pieces(new Uint8Array(1000), 100));
      const blob = await blobs.open('lamp-firmware');
      await expect(blob?.read({ start, end })).rejects.toThrowError(coded('storage.bad_range'));
      await blob?.close();
    });

    it('keeps an empty blob', async () => {
      expect(await blobs.put('nothing-at-all', pieces(new Uint8Array(0), 1))).toEqual({ size: 0 });
      expect(await blobs.stat('nothing-at-all')).toEqual({ size: 0 });
    });

    it('knows nothing of a blob that was never put', async () => {
      expect(await blobs.open('no-such-blob')).toBeUndefined();
      expect(await blobs.stat('no-such-blob')).toBeUndefined();
      await expect(blobs.delete('no-such-blob')).resolves.toBeUndefined();
    });

    it('lists what is there and forgets what is deleted', async () => {
      for (const key of ['first-blob', 'second-blob', 'other-blob']) await blobs.put(key, pieces(new Uint8Array(3), 2));
      await blobs.delete('second-blob');
      expect((await keysOf(blobs)).sort()).toEqual(['first-blob', 'other-blob']);
      expect(await blobs.stat('second-blob')).toBeUndefined();
    });

    it('shows nothing of an upload that breaks off, and keeps what was there before', async () => {
      await blobs.put('lamp-firmware', pieces(new Uint8Array([1, 2, 3]), 3));
      for (let kept = 0; kept < 4; kept++) {
        await expect(blobs.put('lamp-firmware', broken(kept))).rejects.toThrowError('the line broke');
        await expect(blobs.put('never-complete', broken(kept))).rejects.toThrowError('the line broke');
      }
      expect(await keysOf(blobs)).toEqual(['lamp-firmware']);
      expect(await blobs.stat('lamp-firmware')).toEqual({ size: 3 });
    });

    it('passes on the coded error of the content', async () => {
      async function* refused(): AsyncIterable<Uint8Array> {
        yield new Uint8Array(1);
        throw new HoldfastError('storage.digest_mismatch');
      }
      await expect(blobs.put('lamp-firmware', refused())).rejects.toThrowError(coded('storage.digest_mismatch'));
    });

    it.each(['../../etc/passwd', 'short', 'UPPER-CASE', '-leading', 'with/slash', 'a'.repeat(129), 'nul\0character'])(
      'refuses the key %j, which could name another place',
      async (key) => {
        await expect(blobs.put(key, pieces(new Uint8Array(1), 1))).rejects.toThrowError(coded('kernel.internal'));
        await expect(blobs.open(key)).rejects.toThrowError(coded('kernel.internal'));
      },
    );
  });
}

export async function keysOf(blobs: BlobEngine): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of blobs.keys()) keys.push(key);
  return keys;
}

async function* pieces(whole: Uint8Array, length: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < whole.length; at += length) yield whole.subarray(at, at + length);
}

async function* broken(after: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < after; at++) yield new Uint8Array(1000);
  throw new Error('the line broke');
}
