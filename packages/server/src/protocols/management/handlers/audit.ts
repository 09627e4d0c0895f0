import type { AuditVerdict as AuditVerdictView } from '@holdfast/api';
import type { AuditTrail, AuditVerdict } from '@holdfast/trust/audit';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';
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
  const { kind } = verdict;
  const sequence = kind === 'range-changed' ? verdict.first : 'sequence' in verdict ? verdict.sequence : 0;
  const last = 'last' in verdict ? verdict.last : sequence;
  return { kind: 'broken', firstBad: { sequence, reason: REASONS[kind](last) } };
}

/** Why a log is not intact, in words; `last` is where the damage ends. */
const REASONS: Readonly<Record<Exclude<AuditVerdict['kind'], 'intact'>, (last: number) => string>> = {
  'entry-changed': () => 'the entry does not have the hash it was committed with',
  'entry-missing': () => 'another entry, or none, stands in its place',
  'range-changed': (last) => `an entry up to ${last} was replaced together with its hash`,
  'tail-removed': (last) => `the entries up to ${last} were removed`,
  'bad-checkpoint': () => 'the checkpoint file holds a line that this log did not sign',
  'no-checkpoint': () => 'there are entries and no signed checkpoint',
};
