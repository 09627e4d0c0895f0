import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { encodeCanonicalJson } from '@holdfast/kernel';
import { type AuditTree, appendLeaf, assembleTree, hashAuditEntry, spansOf } from '@holdfast/trust/audit/growth';
import type { AuditFact, DomainEvent } from '@holdfast/trust/ports';

/** Where both logs stand: a value, so that a unit that fails is forgotten by keeping the old one. */
export interface LogState {
  /** Sequence of the last outbox event; 0 when there was none. */
  readonly lastEvent: number;
  readonly tree: AuditTree;
}

/** Gives events and audit entries their sequence inside the writing transaction. */
export class LogAppender {
  readonly #event: StatementSync;
  readonly #entry: StatementSync;
  readonly #tile: StatementSync;
  #state: LogState;

  constructor(db: DatabaseSync) {
    this.#event = db.prepare(
      'INSERT INTO outbox (sequence, tenant, name, subject, data, at) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#entry = db.prepare(
      'INSERT INTO audit_entries (sequence, tenant, at, actor, action, subject, details, leaf) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#tile = db.prepare('INSERT INTO audit_tiles (level, position, hash) VALUES (?, ?, ?)');
    this.#state = readState(db);
  }

  get state(): LogState {
    return this.#state;
  }

  /** Goes back to what was true before a unit or a batch that was rolled back. */
  restore(state: LogState): void {
    this.#state = state;
  }

  event({ tenant, name, subject, data }: DomainEvent, at: number): void {
    const sequence = this.#state.lastEvent + 1;
    this.#event.run(sequence, tenant, name, subject, JSON.stringify(data), at);
    this.#state = { ...this.#state, lastEvent: sequence };
  }

  audit(fact: AuditFact, at: number): void {
    const { tree } = this.#state;
    const { tenant, actor, action, subject } = fact;
    const details = encodeCanonicalJson(fact.details);
    const leaf = hashAuditEntry({ sequence: tree.size, tenant, at, actor, action, subject, details });
    this.#entry.run(tree.size, tenant, at, actor, action, subject, details, leaf);
    const grown = appendLeaf(tree, leaf);
    for (const tile of grown.tiles) this.#tile.run(tile.level, tile.position, tile.hash);
    this.#state = { ...this.#state, tree: grown.tree };
  }
}

function readState(db: DatabaseSync): LogState {
  const count = db.prepare('SELECT COALESCE(MAX(sequence) + 1, 0) AS size FROM audit_entries').get();
  const size = Number(count?.['size'] ?? 0);
  const leaves = db.prepare(
    'SELECT leaf AS hash FROM audit_entries WHERE sequence >= ? AND sequence < ? ORDER BY sequence',
  );
  const tiles = db.prepare(
    'SELECT hash FROM audit_tiles WHERE position >= ? AND position < ? AND level = ? ORDER BY position',
  );
  const spans = spansOf(0, size);
  const hashes = spans.map(({ level, start, end }) => {
    const rows = level === 0 ? leaves.all(start, end) : tiles.all(start, end, level);
    return rows.map((row) => row['hash'] as Uint8Array);
  });
  const last = db.prepare('SELECT COALESCE(MAX(sequence), 0) AS last FROM outbox').get();
  const seen = db.prepare('SELECT COALESCE(MAX(sequence), 0) AS last FROM outbox_cursors').get();
  return { lastEvent: Math.max(Number(last?.['last']), Number(seen?.['last'])), tree: assembleTree(spans, hashes) };
}
