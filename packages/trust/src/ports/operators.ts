import type { EpochMs } from '@holdfast/kernel';
import type { Tenant } from './ids.ts';
import type { Page, PageRequest, Write } from './store.ts';

/** Each may do what the one before it may: look; run the fleet; decide who and what is trusted. */
export type OperatorRole = 'viewer' | 'operator' | 'security' | 'factory';

/** Somebody who manages by certificate from elsewhere. */
export interface OperatorRecord {
  readonly tenant: Tenant;
  readonly name: string;
  readonly role: OperatorRole;
  readonly state: 'active' | 'revoked';
  readonly createdAt: EpochMs;
  readonly createdBy: string;
}

export interface OperatorRepository {
  find(tenant: Tenant, name: string): Promise<OperatorRecord | undefined>;
  /** In order of name. */
  list(tenant: Tenant, page: PageRequest): Promise<Page<OperatorRecord>>;
  /** Conflicts when the name was ever given: what the log says of it must stay true. */
  inserting(operator: OperatorRecord): Write;
  /** Conflicts unless the row still has `from.role` and `from.state`. */
  changing(from: OperatorRecord, change: Partial<Pick<OperatorRecord, 'role' | 'state'>>): Write;
}
