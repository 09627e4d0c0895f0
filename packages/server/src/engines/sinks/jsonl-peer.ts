import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { encodeUtf8 } from '@holdfast/kernel';
import { errnoOf, fromSystem, syncFolder } from '../durable-files.ts';
import type { OutgoingMessage, SinkPeer, SinkVerdict } from './sink-peer.ts';

export interface JsonlOptions {
  readonly path: string;
  /** A file is put aside when it is longer: `PATH.1` is the newest of those. */
  readonly rotateBytes: number;
  /** How many are kept beside the one that is written; older ones are removed. */
  readonly keepFiles: number;
}

/** One JSON object a line, on the disk before it counts. A line that a crash cut off is removed, and written again. */
export class JsonlPeer implements SinkPeer {
  readonly maxMessages = 1000;
  readonly #options: JsonlOptions;
  #open: { readonly file: FileHandle; length: number } | undefined;

  constructor(options: JsonlOptions) {
    this.#options = options;
  }

  async send(batch: readonly OutgoingMessage[]): Promise<SinkVerdict> {
    try {
      const current = await this.#current();
      const lines = encodeUtf8(batch.map(({ json }) => `${json}\n`).join(''));
      await writeAt(current.file, lines, current.length);
      await current.file.datasync();
      current.length += lines.length;
      return { kind: 'taken' };
    } catch (error) {
      await this.close();
      return { kind: 'later', reason: fromSystem(error, 'writing a sink').code };
    }
  }

  async close(): Promise<void> {
    const file = this.#open?.file;
    this.#open = undefined;
    await file?.close().catch(() => undefined);
  }

  async #current(): Promise<{ readonly file: FileHandle; length: number }> {
    if (this.#open !== undefined && this.#open.length >= this.#options.rotateBytes) await this.#rotate();
    if (this.#open !== undefined) return this.#open;
    const { path: place } = this.#options;
    const file = await open(place, (await isThere(place)) ? 'r+' : 'wx+', 0o600);
    try {
      this.#open = { file, length: await cutToWholeLines(file) };
      await syncFolder(path.dirname(place));
      return this.#open;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    const { keepFiles, path: place } = this.#options;
    await this.close();
    await unlink(`${place}.${keepFiles}`).catch(ignoreMissing);
    for (let at = keepFiles - 1; at >= 1; at--)
      await rename(`${place}.${at}`, `${place}.${at + 1}`).catch(ignoreMissing);
    if (keepFiles === 0) await unlink(place);
    else await rename(place, `${place}.1`);
  }
}

const TAIL = 64 * 1024;

/** @returns the length of what is left */
async function cutToWholeLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - TAIL);
    const tail = Buffer.alloc(end - start);
    await file.read(tail, 0, tail.length, start);
    const last = tail.lastIndexOf(0x0a);
    if (last >= 0) {
      const length = start + last + 1;
      if (length < size) await file.truncate(length);
      return length;
    }
    end = start;
  }
  if (size > 0) await file.truncate(0);
  return 0;
}

async function writeAt(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
  }
}

async function isThere(place: string): Promise<boolean> {
  try {
    await stat(place);
    return true;
  } catch (error) {
    ignoreMissing(error);
    return false;
  }
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
