import type { AuditVerdict as AuditVerdictView } from '@holdfast/api';
import type { AuditTrail, AuditVerdict } from '@holdfast/trust/audit';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './devices.ts';
import { viewAuditEntry } from './views.ts';

/** The log as the API reads it. */
export interface AuditReader {
  readonly list: AuditTrail['list'];
  verify(): Promise<AuditVerdict>;
}

export function auditHandlers(audit: AuditReader): Pick<ManagementHandlers, 'audit.list' | 'audit.verify'> {
  return {
    'audit.list': async ({ query }, { principal }) => {
      const { after, limit, ...filter } = query;
      const page = await audit.list(principal.tenant, filter, { after, limit });
      return pageOf(page.rows.map(viewAuditEntry), page.next);
    },
    'audit.verify': async () => viewVerdict(await audit.verify()),
  };
}

function viewVerdict(verdict: AuditVerdict): AuditVerdictView {
  if (verdict.kind === 'intact') {
    return { kind: 'intact', entries: verdict.size, checkpoints: verdict.checkpoints };
  }
  return { kind: 'broken', firstBad: firstBadOf(verdict) };
}

function firstBadOf(
  verdict: Exclude<AuditVerdict, { readonly kind: 'intact' }>,
): Extract<AuditVerdictView, { readonly kind: 'broken' }>['firstBad'] {
  switch (verdict.kind) {
    case 'entry-changed':
      return { sequence: verdict.sequence, reason: 'the entry does not have the hash it was committed with' };
    case 'entry-missing':
      return { sequence: verdict.sequence, reason: 'another entry, or none, stands in its place' };
    case 'range-changed':
      return { sequence: verdict.first, reason: `an entry up to ${verdict.last} was replaced together with its hash` };
    case 'tail-removed':
      return { sequence: verdict.sequence, reason: `the entries up to ${verdict.last} were removed` };
    case 'bad-checkpoint':
      return { sequence: 0, reason: `line ${verdict.line} of the checkpoint file was not signed by this log` };
    case 'no-checkpoint':
      return { sequence: 0, reason: `there are ${verdict.size} entries and no signed checkpoint` };
  }
}
