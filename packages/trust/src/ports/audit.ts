import type { Tenant } from './ids.ts';
import type { Write } from './store.ts';

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
