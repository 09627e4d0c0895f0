import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeUtf8, HoldfastError } from '@holdfast/kernel';
import type { CheckpointFile } from '@holdfast/trust/ports';
import { errnoOf, fromSystem, syncFolder } from '../durable-files.ts';

/** Past this many the older ones are thinned: fewer say less exactly where a log was altered. */
const MOST = 20_000;
const RECENT = 2000;
const KEPT_OF_OLDER = 16;

/** Checkpoints as a file of JSON strings, one a line, each flushed to the disk before it counts. */
export class FileCheckpoints implements CheckpointFile {
  readonly #file: string;
  #length: number;
  #lines: number;

  private constructor(file: string, kept: Kept) {
    this.#file = file;
    this.#length = kept.length;
    this.#lines = kept.lines;
  }

  /** Opens the file, making it if need be. What follows the last line end was torn by a crash and is dropped. */
  static async open(file: string): Promise<FileCheckpoints> {
    try {
      return new FileCheckpoints(file, await tidy(file));
    } catch (error) {
      throw fromSystem(error, 'opening the checkpoint file');
    }
  }

  async read(): Promise<readonly string[]> {
    try {
      return (await textOf(this.#file)).split('\n').slice(0, -1).map(noteOf);
    } catch (error) {
      throw fromSystem(error, 'reading checkpoints');
    }
  }

  /** @throws `audit.bad_checkpoint` when the file lost what was appended; `store.full`, `store.unavailable`. */
  async append(note: string): Promise<void> {
    try {
      const handle = await open(this.#file, 'r+');
      try {
        await this.#append(handle, encodeUtf8(`${JSON.stringify(note)}\n`));
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw fromSystem(error, 'keeping a checkpoint');
    }
    if (this.#lines > MOST) await this.#thin();
  }

  /** The new checkpoint is kept already: a file that cannot be thinned now is thinned with a later one. */
  async #thin(): Promise<void> {
    try {
      const { length, lines } = await tidy(this.#file);
      this.#length = length;
      this.#lines = lines;
    } catch {
      return;
    }
  }

  async #append(handle: FileHandle, line: Uint8Array): Promise<void> {
    const { size } = await handle.stat();
    if (size < this.#length) throw new HoldfastError('audit.bad_checkpoint', { reason: 'file shrank', size });
    // An append that failed half way, as on a full disk, left a piece behind.
    if (size > this.#length) await handle.truncate(this.#length);
    for (let at = 0; at < line.length; ) {
      const { bytesWritten } = await handle.write(line, at, line.length - at, this.#length + at);
      at += bytesWritten;
    }
    await handle.sync();
    this.#length += line.length;
    this.#lines += 1;
  }
}

interface Kept {
  /** Octets of the file. */
  readonly length: number;
  readonly lines: number;
}

/** Leaves whole lines only, and no more than there may be. */
async function tidy(file: string): Promise<Kept> {
  const text = await textOf(file);
  const lines = text.split('\n').slice(0, -1);
  const kept = lines.length > MOST ? thinned(lines) : lines;
  const content = kept.map((line) => `${line}\n`).join('');
  if (content !== text || text === '') await replace(file, content);
  return { length: encodeUtf8(content).length, lines: kept.length };
}

function thinned(lines: readonly string[]): readonly string[] {
  const recent = lines.length - RECENT;
  return lines.filter((_, at) => at >= recent || at % KEPT_OF_OLDER === 0);
}

async function replace(file: string, content: string): Promise<void> {
  const temporary = `${file}.new`;
  await writeFile(temporary, content, { mode: 0o600, flush: true });
  await rename(temporary, file);
  await syncFolder(path.dirname(file));
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** A line that is no JSON string stays as it is: whoever verifies it names it. */
function noteOf(line: string): string {
  try {
    const note: unknown = JSON.parse(line);
    return typeof note === 'string' ? note : line;
  } catch {
    return line;
  }
}
