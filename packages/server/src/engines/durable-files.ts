import { open } from 'node:fs/promises';
import { type ErrorCode, HoldfastError } from '@holdfast/kernel';

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The system's error name, such as ENOENT. */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** A disk without space is `store.full`; whatever else the system answers is `store.unavailable`. */
export function fromSystem(error: unknown, doing: string): HoldfastError {
  if (HoldfastError.is(error)) return error;
  const errno = errnoOf(error);
  const code: ErrorCode = FULL.has(errno) ? 'store.full' : 'store.unavailable';
  return new HoldfastError(code, { doing, errno }, { cause: error });
}

/** Makes the names in a folder durable: a rename is on disk only when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
