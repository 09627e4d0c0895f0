import type { Execution } from '@holdfast/api';
import { OUTCOME_TONE } from '../words.ts';
import { Badge } from './badge.tsx';
import { type Column, Table } from './table.tsx';
import { Ago } from './time.tsx';

function Outcome({ execution }: { readonly execution: Execution }) {
  const { outcome, awaitingProof, reason } = execution;
  if (outcome === undefined) return <span class="quiet">{awaitingProof ? 'awaiting proof' : 'open'}</span>;
  return (
    <>
      <Badge tone={OUTCOME_TONE[outcome] ?? 'plain'}>{outcome.replace('-', ' ')}</Badge>
      {reason === undefined ? null : <div class="reason">{reason}</div>}
    </>
  );
}

const COLUMNS: readonly Column<Execution>[] = [
  { title: 'Status', cell: (row) => row.status.toLowerCase().replace('_', ' ') },
  { title: 'Outcome', cell: (row) => <Outcome execution={row} /> },
  { title: 'Last word', cell: (row) => Object.values(row.statusDetails).join(' ') || '–' },
  { title: 'Changed', cell: (row) => <Ago at={row.lastUpdatedAt} /> },
];

interface Props {
  readonly caption: string;
  readonly executions: readonly Execution[];
  /** What names a row: the device in a rollout, the job on a device. */
  readonly by: 'device' | 'job';
}

/** Jobs under way and ended; success is only what was proven, or is marked as merely reported. */
export function Executions({ caption, executions, by }: Props) {
  const first: Column<Execution> =
    by === 'device'
      ? { title: 'Device', cell: (row) => <a href={`/devices/${row.deviceId}`}>{row.deviceId}</a> }
      : { title: 'Job', cell: (row) => row.jobId };
  return (
    <Table
      caption={caption}
      rows={executions}
      columns={[first, ...COLUMNS]}
      keyOf={(row) => row.jobId + row.deviceId}
    />
  );
}
