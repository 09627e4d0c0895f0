import type { DatabaseSync, StatementSync } from 'node:sqlite';

const KEPT = 512;

/** Prepared statements of one connection by their text, least recently used dropped first. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #kept = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(sql: string): StatementSync {
    const found = this.#kept.get(sql);
    if (found) {
      this.#kept.delete(sql);
      this.#kept.set(sql, found);
      return found;
    }
    const prepared = this.#db.prepare(sql);
    this.#kept.set(sql, prepared);
    if (this.#kept.size > KEPT) this.#dropOldest();
    return prepared;
  }

  #dropOldest(): void {
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}
