import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const BUSY_MS = 10_000;

/** Opens the server's own database file beside it, as somebody with root on the machine would. */
export function withDatabase<T>(dataFolder: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path.join(dataFolder, 'holdfast.db'));
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    return use(database);
  } finally {
    database.close();
  }
}
