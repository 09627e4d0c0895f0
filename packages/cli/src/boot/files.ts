import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { ByteSource } from '@holdfast/crypto';
import { HoldfastError } from '@holdfast/kernel';
import { decodeElfImage, isElf } from '@holdfast/wire/elf';
import { decodeIntelHex } from '@holdfast/wire/intel-hex';

/** Bytes of an input file and, for Intel HEX and ELF, where they belong. */
export interface InputFile {
  readonly bytes: Uint8Array;
  readonly address?: number;
}

const HEX_NAMES = ['.hex', '.ihex', '.ihx'];

export function isHexName(file: string): boolean {
  return HEX_NAMES.includes(path.extname(file).toLowerCase());
}

/** @throws `cli.file_unusable` */
export function readBytes(file: string): Uint8Array {
  try {
    return Uint8Array.from(readFileSync(file));
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}

/** Reads a raw binary, Intel HEX by its name, or a linked program. @throws `cli.file_unusable`, `boot.bad_hex`, and as the decoder of ELF */
export function readImageFile(file: string, filling: number = 0xff): InputFile {
  const bytes = readBytes(file);
  if (isHexName(file)) return decodeIntelHex(bytes, { filling });
  return isElf(bytes) ? decodeElfImage(bytes, { filling }) : { bytes };
}

/** Gives a file to somebody who reads it by range. @throws `cli.file_unusable` */
export async function withByteSource<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  });
  try {
    const { size } = await handle.stat();
    let room = new Uint8Array(0);
    return await use({
      size,
      async read({ offset, length }) {
        if (room.length < length) room = new Uint8Array(length);
        const { bytesRead } = await handle.read(room, 0, length, offset);
        return room.subarray(0, bytesRead);
      },
    });
  } finally {
    await handle.close();
  }
}

/** How a file is put in place: over what is there, or only where nothing is. */
export interface WriteOptions {
  readonly mode?: number;
  readonly keep?: boolean;
}

/**
 * Writes a whole file or none: into a temporary name in the same folder, flushed, then moved into place.
 *
 * @throws `cli.file_exists` when something is there and must be kept; `cli.file_unusable`
 */
export function writeWhole(
  file: string,
  content: Uint8Array | string,
  { mode = 0o644, keep = false }: WriteOptions = {},
): void {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const handle = openSync(temporary, 'wx', mode);
    try {
      writeFully(handle, typeof content === 'string' ? new TextEncoder().encode(content) : content);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    // A link fails where a rename would replace what somebody made in the meantime.
    if (keep) linkSync(temporary, file);
    else renameSync(temporary, file);
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new HoldfastError(exists ? 'cli.file_exists' : 'cli.file_unusable', { path: file }, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeFully(handle: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(handle, bytes, written);
}
