import type { EpochMs } from '@holdfast/kernel';
import type { Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

/** Who did it, as the log keeps it: `operator:alice`, `device:lamp-1`, `claim:3f2a…`, `system`. */
export type AuditActor = string;

/** Identifiers, digests and outcomes; never secrets, never caller text beyond 256 characters a value. */
export interface AuditFact {
  readonly tenant: Tenant;
  readonly actor: AuditActor;
  /** Dotted verb in the past: `certificate.issued`, `device.revoked`, `publish.refused`. */
  readonly action: string;
  /** The id it is about. */
  readonly subject: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** The tamper-evident log as services see it: a fact becomes a write of the unit that made it true. */
export interface AuditLog {
  entry(fact: AuditFact): Write;
}

/** One entry of the log as it is stored. */
export interface AuditEntry {
  /** Index of its leaf, from 0. */
  readonly sequence: number;
  readonly tenant: Tenant;
  readonly at: EpochMs;
  readonly actor: AuditActor;
  readonly action: string;
  readonly subject: string;
  /** Canonical JSON object, as text: what was hashed is what is kept. */
  readonly details: string;
}

export interface StoredAuditEntry extends AuditEntry {
  /** The leaf hash given when it was committed, 32 bytes. */
  readonly leaf: Uint8Array;
}

export interface AuditFilter {
  readonly subject?: string | undefined;
  readonly action?: string | undefined;
}

export interface AuditRepository {
  /** Newest first. */
  list(tenant: Tenant, filter: AuditFilter, page: PageRequest): Promise<Page<StoredAuditEntry>>;
  /** Of every tenant, oldest first, from `sequence` on. */
  from(sequence: number, limit: number): Promise<readonly StoredAuditEntry[]>;
  find(sequence: number): Promise<StoredAuditEntry | undefined>;
  /** How many entries there are, by the highest sequence. */
  size(): Promise<number>;
  /** Leaf hashes (level 0) or roots of complete subtrees of 256^level leaves, from position `start` until `end`. */
  hashes(level: number, start: number, end: number): Promise<readonly Uint8Array[]>;
}

/** Signed tree heads outside the record store, oldest first. */
export interface CheckpointFile {
  /** Every whole line that was appended; a torn last one is left out. */
  read(): Promise<readonly string[]>;
  /** Resolves when the note is durable. */
  append(note: string): Promise<void>;
}
