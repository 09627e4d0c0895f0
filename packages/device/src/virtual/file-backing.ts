import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Backing } from '@holdfast/crypto/virtual-chip';
import { HoldfastError } from '@holdfast/kernel';

/**
 * One file that holds the part's whole state, written through, mode 0600.
 *
 * @throws `device.folder_damaged` when the file has another size
 */
export function fileBacking(path: string, initial: Uint8Array): Backing {
  const fresh = !existsSync(path);
  const bytes = fresh ? initial : new Uint8Array(readFileSync(path));
  if (bytes.length !== initial.length) throw new HoldfastError('device.folder_damaged', { size: bytes.length });
  const file = openSync(path, fresh ? 'w' : 'r+', 0o600);
  const save = (at: number, length: number): void => {
    for (let done = 0; done < length; ) done += writeSync(file, bytes, at + done, length - done, at + done);
  };
  if (fresh) save(0, bytes.length);
  return { bytes, save, close: () => closeSync(file) };
}
