import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/kernel';

/**
 * Keeps other processes from running the device in this folder: two of them are to a server what a copied key is.
 *
 * The lock is that of an empty SQLite file, which the kernel drops with the process.
 *
 * @throws `cli.device_in_use`
 */
export function lockDevice(folder: string): { readonly release: () => void } {
  const lock = new DatabaseSync(path.join(folder, 'lock'));
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new HoldfastError('cli.device_in_use', { folder }, { cause });
  }
  return { release: () => lock.close() };
}
