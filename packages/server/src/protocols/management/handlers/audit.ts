import { encodeHex } from '@holdfast/kernel';
import type { AuditEntry } from '@holdfast/trust/audit';
import type { Page, PageRequest, Tenant } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './devices.ts';
import { viewAuditEntry } from './views.ts';

export interface AuditFilter {
  readonly subject?: string | undefined;
  readonly action?: string | undefined;
}

export type AuditVerdict =
  | {
      readonly kind: 'intact';
      readonly entries: number;
      readonly checkpoints: number;
      readonly rootHash: Uint8Array;
    }
  | {
      readonly kind: 'broken';
      readonly entries: number;
      readonly checkpoints: number;
      readonly firstBad: { readonly sequence: number; readonly reason: string };
    };

/** The log as the API reads it. */
export interface AuditReader {
  /** Newest first. */
  list(tenant: Tenant, filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>>;
  verify(): Promise<AuditVerdict>;
}

export function auditHandlers(audit: AuditReader): Pick<ManagementHandlers, 'audit.list' | 'audit.verify'> {
  return {
    'audit.list': async ({ query }, { principal }) => {
      const { after, limit, ...filter } = query;
      const page = await audit.list(principal.tenant, filter, { after, limit });
      return pageOf(page.rows.map(viewAuditEntry), page.next);
    },
    'audit.verify': async () => {
      const verdict = await audit.verify();
      if (verdict.kind === 'broken') return { ...verdict };
      const { rootHash, ...counts } = verdict;
      return { ...counts, rootHash: encodeHex(rootHash) };
    },
  };
}
