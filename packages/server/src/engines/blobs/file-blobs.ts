import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { encodeHex, HoldfastError, type Random } from '@holdfast/kernel';
import type { BlobEngine, ByteRange, OpenBlob } from '@holdfast/trust/ports';
import { errnoOf, fromSystem, syncFolder } from '../durable-files.ts';

const KEY = /^[a-z0-9][a-z0-9-]{7,127}$/;
const OBJECTS = 'objects';
const INCOMING = 'incoming';
const SHARD = 2;

/** Blobs as files: written aside, made durable, then renamed into place. */
export class FileBlobs implements BlobEngine {
  readonly #folder: string;
  readonly #random: Random;

  private constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
  }

  /** Opens the folder, making it if need be, and sweeps what uploads cut short have left. */
  static async open(folder: string, random: Random): Promise<FileBlobs> {
    try {
      await mkdir(path.join(folder, OBJECTS), { recursive: true, mode: 0o700 });
      await rm(path.join(folder, INCOMING), { recursive: true, force: true });
      await mkdir(path.join(folder, INCOMING), { mode: 0o700 });
    } catch (error) {
      throw fromSystem(error, 'opening the blob folder');
    }
    return new FileBlobs(folder, random);
  }

  async put(key: string, content: AsyncIterable<Uint8Array>): Promise<{ readonly size: number }> {
    const target = this.#pathOf(key);
    const temporary = path.join(this.#folder, INCOMING, encodeHex(this.#random.bytes(16)));
    try {
      const size = await writeDurably(temporary, content);
      await this.#publish(temporary, target);
      return { size };
    } catch (error) {
      await rm(temporary, { force: true });
      throw errnoOf(error) === undefined ? error : fromSystem(error, 'storing a blob');
    }
  }

  async open(key: string): Promise<OpenBlob | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(this.#pathOf(key), 'r');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw fromSystem(error, 'opening a blob');
    }
    const { size } = await handle.stat();
    return { size, read: (range) => readRange(handle, size, range), close: () => handle.close() };
  }

  async stat(key: string): Promise<{ readonly size: number } | undefined> {
    try {
      const { size } = await stat(this.#pathOf(key));
      return { size };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw fromSystem(error, 'looking at a blob');
    }
  }

  async delete(key: string): Promise<void> {
    const target = this.#pathOf(key);
    try {
      await unlink(target);
      await syncFolder(path.dirname(target));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fromSystem(error, 'deleting a blob');
    }
  }

  async *keys(): AsyncIterable<string> {
    const objects = path.join(this.#folder, OBJECTS);
    for (const shard of await readdir(objects)) {
      for (const key of await readdir(path.join(objects, shard))) if (KEY.test(key)) yield key;
    }
  }

  async #publish(temporary: string, target: string): Promise<void> {
    const shard = path.dirname(target);
    const made = await mkdir(shard, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolder(path.dirname(shard));
    await rename(temporary, target);
    await syncFolder(shard);
  }

  #pathOf(key: string): string {
    if (!KEY.test(key)) throw new HoldfastError('kernel.internal', { reason: 'not a blob key' });
    return path.join(this.#folder, OBJECTS, key.slice(0, SHARD), key);
  }
}

async function writeDurably(file: string, content: AsyncIterable<Uint8Array>): Promise<number> {
  const handle = await open(file, 'wx', 0o600);
  try {
    let size = 0;
    for await (const chunk of content) {
      await writeAll(handle, chunk);
      size += chunk.length;
    }
    await handle.sync();
    return size;
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at);
    at += bytesWritten;
  }
}

async function readRange(handle: FileHandle, size: number, { start, end }: ByteRange): Promise<Uint8Array> {
  if (!(start >= 0 && start <= end && end <= size)) throw new HoldfastError('storage.bad_range', { start, end, size });
  const bytes = new Uint8Array(end - start);
  try {
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
      if (bytesRead === 0) throw new HoldfastError('storage.corrupt', { size, end: start + at });
      at += bytesRead;
    }
    return bytes;
  } catch (error) {
    throw fromSystem(error, 'reading a blob');
  }
}
