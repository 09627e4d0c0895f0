import { writeFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/kernel';

/**
 * Writes a file that must not exist yet, so that no key is overwritten.
 *
 * @throws `cli.file_exists` when it does; `cli.file_unusable` when it cannot be written
 */
export function writeNewFile(path: string, content: string | Uint8Array, mode: number): void {
  try {
    writeFileSync(path, content, { flag: 'wx', mode });
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new HoldfastError(exists ? 'cli.file_exists' : 'cli.file_unusable', { path }, { cause });
  }
}
