import { encodeCanonicalJson, encodeUtf8 } from '@holdfast/kernel';
import { hashLeaf } from './tree-hash.ts';

/** One entry of the log as it is stored. */
export interface AuditEntry {
  /** Index of its leaf, from 0. */
  readonly sequence: number;
  readonly tenant: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** Canonical JSON object, as text: what was hashed is what is kept. */
  readonly details: string;
}

/**
 * The bytes of an entry's leaf: a JSON array in fixed order, its first member naming the format.
 *
 * JSON strings are self-delimiting, so no two entries share bytes.
 */
export function encodeAuditEntry(entry: AuditEntry): Uint8Array<ArrayBuffer> {
  const { sequence, tenant, at, actor, action, subject, details } = entry;
  return encodeUtf8(encodeCanonicalJson(['holdfast-audit-1', sequence, tenant, at, actor, action, subject, details]));
}

/** RFC 9162 leaf hash of an entry, 32 bytes. */
export function hashAuditEntry(entry: AuditEntry): Uint8Array<ArrayBuffer> {
  return hashLeaf(encodeAuditEntry(entry));
}
