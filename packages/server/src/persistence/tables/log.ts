/** What rooms told each other, in the order it was committed. Pruned once every consumer has seen it. */
interface OutboxTable {
  /** Rises by commit order, from 1. */
  sequence: number;
  tenant: string;
  /** An `EventName`. */
  name: string;
  subject: string;
  /** JSON object. */
  data: string;
  at: number;
}

/** How far each named consumer of the outbox has come. */
interface OutboxCursorTable {
  consumer: string;
  /** The last event it handled. */
  sequence: number;
}

/** The tamper-evident log. Never updated, never deleted from. */
interface AuditEntryTable {
  /** Index of the leaf in the tree, from 0. */
  sequence: number;
  tenant: string;
  at: number;
  actor: string;
  action: string;
  subject: string;
  /** Canonical JSON object. */
  details: string;
  /** RFC 9162 leaf hash of the entry, 32 bytes. */
  leaf: Uint8Array;
}

/** Roots of complete subtrees of 256^level leaves: a proof reads 256 hashes a level, not the whole log. */
interface AuditTileTable {
  /** From 1: the subtree holds 256^level leaves. */
  level: number;
  /** Which subtree of its level, from 0. */
  position: number;
  hash: Uint8Array;
}

export interface LogTables {
  outbox: OutboxTable;
  outbox_cursors: OutboxCursorTable;
  audit_entries: AuditEntryTable;
  audit_tiles: AuditTileTable;
}
