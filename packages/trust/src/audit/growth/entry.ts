import { leafHash } from '@holdfast/crypto/merkle';
import { encodeCanonicalJson, encodeUtf8 } from '@holdfast/kernel';
import type { AuditEntry, AuditFact } from '../../ports/index.ts';

const LONGEST_TEXT = 256;

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
  return leafHash(encodeAuditEntry(entry));
}

/**
 * A fact with every text cut to 256 characters and well formed.
 *
 * Half a surrogate pair would come back from a store as another character, and a name chosen by an attacker would make
 * the log look altered.
 */
export function boundFact(fact: AuditFact): AuditFact {
  const details = Object.entries(fact.details).map(([name, value]) => [
    name,
    typeof value === 'string' ? boundText(value) : value,
  ]);
  return {
    tenant: boundText(fact.tenant),
    actor: boundText(fact.actor),
    action: boundText(fact.action),
    subject: boundText(fact.subject),
    details: Object.fromEntries(details) as AuditFact['details'],
  };
}

function boundText(text: string): string {
  return text.slice(0, LONGEST_TEXT).toWellFormed();
}
