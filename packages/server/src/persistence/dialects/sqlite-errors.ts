import { type ErrorCode, HoldfastError } from '@holdfast/kernel';

const SQLITE_CONSTRAINT = 19;

/** Primary result codes (sqlite.org/rescode.html) that mean something to a caller. */
const PRIMARY: Readonly<Record<number, ErrorCode>> = {
  5: 'store.unavailable', // SQLITE_BUSY
  6: 'store.unavailable', // SQLITE_LOCKED
  8: 'store.unavailable', // SQLITE_READONLY
  10: 'store.unavailable', // SQLITE_IOERR
  11: 'store.corrupt', // SQLITE_CORRUPT
  13: 'store.full', // SQLITE_FULL
  14: 'store.unavailable', // SQLITE_CANTOPEN
  26: 'store.corrupt', // SQLITE_NOTADB
};

/** Extended codes of a row that exists already, or of a row it names that does not. */
const CONFLICTS: ReadonlySet<number> = new Set([
  787, // SQLITE_CONSTRAINT_FOREIGNKEY
  1555, // SQLITE_CONSTRAINT_PRIMARYKEY
  2067, // SQLITE_CONSTRAINT_UNIQUE
  2579, // SQLITE_CONSTRAINT_ROWID
]);

/** Names what SQLite reported; a broken CHECK or NOT NULL is a fault of ours and becomes `kernel.internal`. */
export function fromSqlite(error: unknown): HoldfastError {
  if (HoldfastError.is(error)) return error;
  const extended = errcodeOf(error);
  if (extended === undefined) return new HoldfastError('kernel.internal', {}, { cause: error });
  const primary = extended & 0xff;
  const code = primary === SQLITE_CONSTRAINT && CONFLICTS.has(extended) ? 'store.conflict' : PRIMARY[primary];
  if (code) return new HoldfastError(code, { sqlite: extended }, { cause: error });
  // A fault of ours: the cause does not cross threads, and SQLite's words name tables and columns, never values.
  return new HoldfastError('kernel.internal', { sqlite: extended, reason: messageOf(error) }, { cause: error });
}

function errcodeOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}

function messageOf(error: unknown): string | undefined {
  return error instanceof Error ? error.message : undefined;
}
