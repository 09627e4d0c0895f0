import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/kernel';

const LOCK_FILE = 'lock';
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
const SQLITE_BUSY = 5;

export interface DataFolderLock {
  /** Absolute path of the folder. */
  readonly folder: string;
  release(): void;
}

/**
 * Creates the data folder if need be, checks that it is private, and keeps every other process out.
 *
 * The lock is the exclusive lock of an empty SQLite file: the kernel drops it when the process ends in any way, so a
 * killed process leaves none behind.
 *
 * @throws `store.exposed` when others may enter the folder or own it; `store.in_use` when a process holds it;
 * `store.unavailable` when it cannot be made or written.
 */
export function lockDataFolder(folder: string): DataFolderLock {
  const absolute = path.resolve(folder);
  try {
    makeFolder(absolute);
  } catch (cause) {
    throw new HoldfastError('store.unavailable', { folder: absolute, reason: 'cannot be made' }, { cause });
  }
  checkPrivate(absolute);
  const db = holdExclusively(absolute);
  return { folder: absolute, release: () => db.close() };
}

/** Parents first, one by one: the recursive `mkdir` of Node never ends where the system answers ENOENT, as /proc does. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) makeFolder(parent);
  mkdirSync(folder, { mode: FOLDER_MODE });
}

/** @throws `store.exposed` */
function checkPrivate(folder: string): void {
  const { mode, uid } = statSync(folder);
  const own = process.getuid?.();
  if (own !== undefined && uid !== own) throw new HoldfastError('store.exposed', { folder, owner: uid });
  if ((mode & OTHERS) !== 0) throw new HoldfastError('store.exposed', { folder, mode: (mode & 0o777).toString(8) });
}

function holdExclusively(folder: string): DatabaseSync {
  const file = path.join(folder, LOCK_FILE);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (cause) {
    db?.close();
    const busy = (cause as { errcode?: unknown }).errcode === SQLITE_BUSY;
    if (busy) throw new HoldfastError('store.in_use', { folder }, { cause });
    throw new HoldfastError('store.unavailable', { folder, reason: 'lock file' }, { cause });
  }
}
