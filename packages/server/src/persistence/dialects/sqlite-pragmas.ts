/**
 * Set on the writing connection, in this order.
 *
 * `synchronous = FULL` makes COMMIT in WAL mode wait for fsync. `secure_delete` overwrites what a DELETE frees, so
 * that a destroyed wrapped key does not stay in a free page. `trusted_schema` and `cell_size_check` are SQLite's
 * advice for files that may have been altered (sqlite.org/security.html). A checkpoint every 16 MiB of log, not 4: rows
 * keyed by hashes touch the same pages again, which are then written back once.
 */
export const SQLITE_WRITER_PRAGMAS: readonly string[] = [
  'PRAGMA busy_timeout = 1000',
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA secure_delete = ON',
  'PRAGMA trusted_schema = OFF',
  'PRAGMA cell_size_check = ON',
  'PRAGMA journal_size_limit = 67108864',
  'PRAGMA wal_autocheckpoint = 4000',
];

export const SQLITE_READER_PRAGMAS: readonly string[] = [
  'PRAGMA busy_timeout = 1000',
  'PRAGMA query_only = ON',
  'PRAGMA trusted_schema = OFF',
  'PRAGMA cell_size_check = ON',
];
