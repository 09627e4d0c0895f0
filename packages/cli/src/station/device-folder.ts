import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { HoldfastError } from '@holdfast/kernel';
import type { OutputFile } from './outputs/index.ts';

const UNFINISHED = '.unfinished';
const RECORD = 'device.json';

/**
 * Where the files of one device go: into a folder that nobody looks at until all of them are on the disk, then under
 * the device's own name at once. A crash leaves a device whole or not there, and its key for the next try.
 */
export class DeviceFolder {
  readonly #out: string;
  readonly #serial: string;

  constructor(out: string, serial: string) {
    this.#out = out;
    this.#serial = serial;
  }

  get #final(): string {
    return path.join(this.#out, this.#serial);
  }

  get #work(): string {
    return path.join(this.#out, UNFINISHED, this.#serial);
  }

  get isFinished(): boolean {
    return existsSync(path.join(this.#final, RECORD));
  }

  /** The record of a finished device, as it was written. @throws `cli.file_unusable` */
  readRecord(): string {
    return read(path.join(this.#final, RECORD)).toString('utf8');
  }

  /** A file that was begun earlier and is whole; undefined when there is none. */
  readBegun(name: string): Uint8Array | undefined {
    const file = path.join(this.#work, name);
    return existsSync(file) ? read(file) : undefined;
  }

  /** Puts a file on the disk for good before the device is finished: a key must outlive what is asked for with it. */
  begin(file: OutputFile): void {
    mkdirSync(this.#work, { recursive: true, mode: 0o700 });
    writeWhole(this.#work, file);
    syncFolder(this.#work);
    syncFolder(path.dirname(this.#work));
    syncFolder(this.#out);
  }

  /** Writes what is missing and the record, and shows the device. @throws `cli.file_exists`, `cli.file_unusable` */
  finish(files: readonly OutputFile[], record: string): void {
    mkdirSync(this.#work, { recursive: true, mode: 0o700 });
    for (const file of files) writeWhole(this.#work, file);
    writeWhole(this.#work, { name: RECORD, content: record, secret: false });
    syncFolder(this.#work);
    if (existsSync(this.#final)) throw new HoldfastError('cli.file_exists', { path: this.#final });
    renameSync(this.#work, this.#final);
    syncFolder(this.#out);
  }
}

/** Removes the folder of unfinished devices when none is left in it. */
export function sweepUnfinished(out: string, serials: readonly string[]): void {
  const folder = path.join(out, UNFINISHED);
  if (!serials.some((serial) => existsSync(path.join(folder, serial))))
    rmSync(folder, { recursive: true, force: true });
}

/** Writes a file beside its name and moves it there: it is whole or not there. @throws `cli.file_unusable` */
export function writeWhole(folder: string, { name, content, secret }: OutputFile): void {
  const file = path.join(folder, name);
  const draft = `${file}.part`;
  try {
    const handle = openSync(draft, 'w', secret ? 0o600 : 0o644);
    try {
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(draft, file);
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}
