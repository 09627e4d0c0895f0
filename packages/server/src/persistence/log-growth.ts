import { encodeCanonicalJson } from '@holdfast/kernel';
import { type AuditTree, appendLeaf, hashAuditEntry, type TileSpan } from '@holdfast/trust/audit/growth';
import type { AuditFact, DomainEvent } from '@holdfast/trust/ports';
import type { Statement } from './compiled.ts';
import type { StoreWrite } from './write.ts';

/** Where both logs stand: a value, so that a unit that fails is forgotten by keeping the old one. */
export interface LogState {
  /** Sequence of the last outbox event; 0 when there was none. */
  readonly lastEvent: number;
  readonly tree: AuditTree;
}

/** What a unit adds to the logs. */
export interface LogGrowth {
  readonly state: LogState;
  readonly statements: readonly Statement[];
}

const EVENT = 'INSERT INTO outbox (sequence, tenant, name, subject, data, at) VALUES (?, ?, ?, ?, ?, ?)';
const ENTRY =
  'INSERT INTO audit_entries (sequence, tenant, at, actor, action, subject, details, leaf) VALUES (?, ?, ?, ?, ?, ?, ?, ?)';
const TILE = 'INSERT INTO audit_tiles (level, position, hash) VALUES (?, ?, ?)';

/** Gives the events and audit entries of a unit their sequence; to be run in the transaction that writes it. */
export function growLogs(before: LogState, writes: readonly StoreWrite[], at: number): LogGrowth {
  let state = before;
  const statements: Statement[] = [];
  for (const write of writes) {
    if (write.kind === 'sql') continue;
    const grown = write.kind === 'event' ? addEvent(state, write.event, at) : addEntry(state, write.fact, at);
    state = grown.state;
    statements.push(...grown.statements);
  }
  return { state, statements };
}

function addEvent(state: LogState, { tenant, name, subject, data }: DomainEvent, at: number): LogGrowth {
  const sequence = state.lastEvent + 1;
  const parameters = [sequence, tenant, name, subject, JSON.stringify(data), at];
  return { state: { ...state, lastEvent: sequence }, statements: [{ sql: EVENT, parameters }] };
}

function addEntry(state: LogState, fact: AuditFact, at: number): LogGrowth {
  const { tree } = state;
  const { tenant, actor, action, subject } = fact;
  const details = encodeCanonicalJson(fact.details);
  const leaf = hashAuditEntry({ sequence: tree.size, tenant, at, actor, action, subject, details });
  const grown = appendLeaf(tree, leaf);
  const entry: Statement = {
    sql: ENTRY,
    parameters: [tree.size, tenant, at, actor, action, subject, details, leaf],
  };
  const tiles = grown.tiles.map(({ level, position, hash }) => ({ sql: TILE, parameters: [level, position, hash] }));
  return { state: { ...state, tree: grown.tree }, statements: [entry, ...tiles] };
}

/** Where the logs stand, as one row: the next audit sequence, the last event, and the furthest any consumer has come. */
export const LOG_ENDS = `SELECT
  (SELECT COALESCE(MAX(sequence) + 1, 0) FROM audit_entries) AS size,
  (SELECT COALESCE(MAX(sequence), 0) FROM outbox) AS last,
  (SELECT COALESCE(MAX(sequence), 0) FROM outbox_cursors) AS seen`;

export interface LogEnds {
  readonly size: number;
  readonly last: number;
  readonly seen: number;
}

/** A pruned outbox must not begin to count anew: what was seen counts too. */
export function lastEventOf({ last, seen }: LogEnds): number {
  return Math.max(last, seen);
}

/** Reads the hashes of a span, in order, as `hash`. */
export function readSpan({ level, start, end }: TileSpan): Statement {
  if (level === 0) return { sql: LEAVES, parameters: [start, end] };
  return { sql: TILES, parameters: [start, end, level] };
}

const LEAVES = 'SELECT leaf AS hash FROM audit_entries WHERE sequence >= ? AND sequence < ? ORDER BY sequence';
const TILES = 'SELECT hash FROM audit_tiles WHERE position >= ? AND position < ? AND level = ? ORDER BY position';
