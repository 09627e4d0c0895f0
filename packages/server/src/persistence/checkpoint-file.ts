import { open, readFile } from 'node:fs/promises';
import type { CheckpointFile } from '@holdfast/trust/ports';
import { errnoOf, fromSystem } from '../engines/blobs/durable-files.ts';

/** Checkpoints as a file of JSON strings, one a line, each flushed to the disk before it counts. */
export class AppendedCheckpoints implements CheckpointFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async read(): Promise<readonly string[]> {
    const text = await this.#text();
    // What follows the last line end was torn by a crash and never counted.
    const lines = text.split('\n').slice(0, -1);
    return lines.map(noteOf);
  }

  async append(note: string): Promise<void> {
    try {
      const handle = await open(this.#file, 'a', 0o600);
      try {
        const torn = await this.#isTorn();
        await handle.writeFile(`${torn ? '\n' : ''}${JSON.stringify(note)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw fromSystem(error, 'keeping a checkpoint');
    }
  }

  async #isTorn(): Promise<boolean> {
    const text = await this.#text();
    return text !== '' && !text.endsWith('\n');
  }

  async #text(): Promise<string> {
    try {
      return await readFile(this.#file, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return '';
      throw fromSystem(error, 'reading checkpoints');
    }
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
