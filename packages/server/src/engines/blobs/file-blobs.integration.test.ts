import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemRandom } from '@holdfast/kernel';
import { afterAll, describe, expect, it } from 'vitest';
import { describeBlobs, keysOf } from './describe-blobs.ts';
import { FileBlobs } from './file-blobs.ts';

const base = mkdtempSync(path.join(tmpdir(), 'holdfast-blobs-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

let made = 0;
const fresh = () => path.join(base, `${made++}`);
const coded = (code: string) => expect.objectContaining({ code });

describeBlobs('a folder', () => FileBlobs.open(fresh(), systemRandom));

async function* bytes(length: number): AsyncIterable<Uint8Array> {
  yield new Uint8Array(length);
}

describe('FileBlobs', () => {
  it('sweeps half-written uploads of a killed process at the next start', async () => {
    const folder = fresh();
    const blobs = await FileBlobs.open(folder, systemRandom);
    await blobs.put('complete-blob', bytes(5));
    writeFileSync(path.join(folder, 'incoming', 'half'), 'x'.repeat(100));
    const again = await FileBlobs.open(folder, systemRandom);
    expect(readdirSync(path.join(folder, 'incoming'))).toEqual([]);
    expect(await keysOf(again)).toEqual(['complete-blob']);
  });

  it('leaves nothing behind when an upload breaks off', async () => {
    const folder = fresh();
    const blobs = await FileBlobs.open(folder, systemRandom);
    async function* broken(): AsyncIterable<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error('cut');
    }
    await expect(blobs.put('never-there', broken())).rejects.toThrowError('cut');
    expect(readdirSync(path.join(folder, 'incoming'))).toEqual([]);
    expect(readdirSync(path.join(folder, 'objects'))).toEqual([]);
  });

  it('writes files that only their owner may read', async () => {
    const folder = fresh();
    const blobs = await FileBlobs.open(folder, systemRandom);
    await blobs.put('private-blob', bytes(5));
    expect(statSync(path.join(folder, 'objects', 'pr', 'private-blob')).mode & 0o777).toBe(0o600);
  });

  it('calls a file that lost its end while open corrupt', async () => {
    const folder = fresh();
    const blobs = await FileBlobs.open(folder, systemRandom);
    await blobs.put('shrinking', bytes(500));
    const blob = await blobs.open('shrinking');
    truncateSync(path.join(folder, 'objects', 'sh', 'shrinking'), 100);
    await expect(blob?.read({ start: 50, end: 200 })).rejects.toThrowError(coded('storage.corrupt'));
    await blob?.close();
  });

  it('answers a full disk with one code and keeps what it had', () => {
    const folder = fresh();
    const script = `
      const { FileBlobs } = await import(${JSON.stringify(new URL('file-blobs.ts', import.meta.url).href)});
      process.on('SIGXFSZ', () => {});
      const blobs = await FileBlobs.open(${JSON.stringify(folder)}, { bytes: (n) => new Uint8Array(n).fill(7) });
      async function* content(length) { for (let at = 0; at < length; at += 4096) yield new Uint8Array(4096); }
      await blobs.put('small-blob', content(8192));
      const code = await blobs.put('large-blob', content(1 << 20)).then(() => 'stored', (error) => error.code);
      console.log(JSON.stringify([code, await Array.fromAsync(blobs.keys())]));`;
    const limited = `ulimit -f 64; exec "$0" --input-type=module -e "$1"`;
    const { stdout } = spawnSync('bash', ['-c', limited, process.execPath, script], { encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual(['store.full', ['small-blob']]);
    expect(readdirSync(path.join(folder, 'incoming'))).toEqual([]);
  });
});
