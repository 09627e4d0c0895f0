import { decodeCheckpoint, decodeNote, type NoteKey, verifyNote } from '@holdfast/crypto';
import { equalBytes, HoldfastError } from '@holdfast/kernel';
import type { StoredAuditEntry } from '../ports/index.ts';
import { appendLeaf, type AuditTree, EMPTY_TREE, hashAuditEntry, rootOf } from './growth/index.ts';

/** What the log is, by its entries and its signed tree heads. Only `intact` is good. */
export type AuditVerdict =
  /** `unsigned` entries are younger than the last checkpoint. */
  | { readonly kind: 'intact'; readonly size: number; readonly checkpoints: number; readonly unsigned: number }
  /** The entry does not have the hash it was committed with. */
  | { readonly kind: 'entry-changed'; readonly sequence: number }
  /** Another entry, or none, stands where this one stood. */
  | { readonly kind: 'entry-missing'; readonly sequence: number }
  /** Entry and hash were replaced together, somewhere in `first` to `last`: two checkpoints enclose them. */
  | { readonly kind: 'range-changed'; readonly first: number; readonly last: number }
  /** Entries from `sequence` to `last` were there when the checkpoint was signed. */
  | { readonly kind: 'tail-removed'; readonly sequence: number; readonly last: number }
  /** A line of the checkpoint file, from 0, that this log's key did not sign for this place. */
  | { readonly kind: 'bad-checkpoint'; readonly line: number }
  /** There are entries and no checkpoint at all. */
  | { readonly kind: 'no-checkpoint'; readonly size: number };

export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Holds every entry against its hash and every signed tree head against the hashes; names the first thing wrong.
 *
 * What it cannot see: entries and checkpoints both cut back to an earlier, honest state. A copy of a later checkpoint
 * kept elsewhere shows that.
 */
export async function verifyAuditLog(
  entries: AsyncIterable<StoredAuditEntry>,
  notes: readonly string[],
  key: NoteKey,
): Promise<AuditVerdict> {
  const { heads, badLine } = readHeads(notes, key);
  if (badLine !== undefined) return { kind: 'bad-checkpoint', line: badLine };
  let tree = EMPTY_TREE;
  let proven = 0;
  let next = 0;
  for await (const entry of entries) {
    if (entry.sequence !== tree.size) return { kind: 'entry-missing', sequence: tree.size };
    const leaf = hashed(entry);
    if (!leaf || !equalBytes(leaf, entry.leaf)) return { kind: 'entry-changed', sequence: entry.sequence };
    ({ tree } = appendLeaf(tree, leaf));
    for (let head = heads[next]; head?.size === tree.size; head = heads[next]) {
      if (!matches(tree, head)) return { kind: 'range-changed', first: proven, last: tree.size - 1 };
      proven = tree.size;
      next++;
    }
  }
  const last = heads.at(-1);
  if (last && last.size > tree.size) return { kind: 'tail-removed', sequence: tree.size, last: last.size - 1 };
  if (!last && tree.size > 0) return { kind: 'no-checkpoint', size: tree.size };
  return { kind: 'intact', size: tree.size, checkpoints: heads.length, unsigned: tree.size - proven };
}

/** The tree head of a note that this key signed. @throws `audit.bad_checkpoint` */
export function readHead(note: string, key: NoteKey): TreeHead {
  try {
    const verdict = verifyNote(decodeNote(note), [key]);
    if (verdict.kind !== 'verified') throw new HoldfastError('audit.bad_checkpoint', { reason: verdict.kind });
    const { origin, size, root } = decodeCheckpoint(verdict.text);
    if (origin !== key.name) throw new HoldfastError('audit.bad_checkpoint', { reason: 'another log' });
    return { size: Number(size), root };
  } catch (cause) {
    if (HoldfastError.is(cause, 'audit.bad_checkpoint')) throw cause;
    throw new HoldfastError('audit.bad_checkpoint', {}, { cause });
  }
}

/** Tree heads up to the first bad line. Sizes must rise, since a log signs each of its states once. */
function readHeads(
  notes: readonly string[],
  key: NoteKey,
): { readonly heads: readonly TreeHead[]; readonly badLine: number | undefined } {
  const heads: TreeHead[] = [];
  for (const [line, note] of notes.entries()) {
    try {
      const head = readHead(note, key);
      if (head.size <= (heads.at(-1)?.size ?? 0)) return { heads, badLine: line };
      heads.push(head);
    } catch {
      return { heads, badLine: line };
    }
  }
  return { heads, badLine: undefined };
}

function matches(tree: AuditTree, head: TreeHead): boolean {
  return equalBytes(rootOf(tree), head.root);
}

/** Undefined for values no entry was ever hashed with, such as a time that is not whole. */
function hashed(entry: StoredAuditEntry): Uint8Array | undefined {
  try {
    return hashAuditEntry(entry);
  } catch {
    return undefined;
  }
}
