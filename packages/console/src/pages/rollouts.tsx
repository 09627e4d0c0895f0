import type { Rollout, RolloutDetail } from '@holdfast/api';
import { api } from '../api.ts';
import { Badge } from '../components/badge.tsx';
import { Executions } from '../components/executions.tsx';
import { Show } from '../components/loaded.tsx';
import { type Column, Table } from '../components/table.tsx';
import { Ago } from '../components/time.tsx';
import { useLive } from '../use-live.ts';
import { OUTCOME_TONE, type Tone } from '../words.ts';

const STATE_TONE: Readonly<Record<Rollout['state'], Tone>> = {
  running: 'watch',
  completed: 'good',
  cancelled: 'plain',
  halted: 'bad',
};

function sum(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((total, value) => total + (value ?? 0), 0);
}

/** Ended against all; what ended is said outcome by outcome, since ended is not succeeded. */
function Progress({ rollout }: { readonly rollout: Rollout }) {
  const all = sum(rollout.counts);
  const ended = sum(rollout.outcomes);
  return (
    <div class="progress">
      <progress value={ended} max={Math.max(all, 1)} aria-label={`${ended} of ${all} devices ended`} />
      <span>
        {ended} of {all} ended
      </span>
      {Object.entries(rollout.outcomes).map(([name, value]) =>
        value ? (
          <Badge key={name} tone={OUTCOME_TONE[name] ?? 'plain'}>
            {`${value} ${name.replace('-', ' ')}`}
          </Badge>
        ) : null,
      )}
    </div>
  );
}

const COLUMNS: readonly Column<Rollout>[] = [
  {
    title: 'Rollout',
    cell: (row) => (
      <a href={`/rollouts/${row.id}`}>
        {row.product} {row.version}
      </a>
    ),
  },
  { title: 'State', cell: (row) => <Badge tone={STATE_TONE[row.state]}>{row.state}</Badge> },
  { title: 'Progress', cell: (row) => <Progress rollout={row} /> },
  { title: 'Started', cell: (row) => <Ago at={row.createdAt} /> },
];

export function RolloutsPage() {
  const rollouts = useLive(() => api.rollouts(), 'rollouts');
  return (
    <>
      <h1>Rollouts</h1>
      <Show of={rollouts}>
        {({ rows }) =>
          rows.length === 0 ? (
            <div class="empty">
              <h2>No rollout yet</h2>
              <p>Publish firmware, then bring it to a group:</p>
              <pre>
                <code>
                  {
                    'holdfast update release create FILE --product NAME …\nholdfast update rollout create --release ID --group NAME'
                  }
                </code>
              </pre>
            </div>
          ) : (
            <Table caption="Rollouts" rows={rows} columns={COLUMNS} keyOf={(row) => row.id} />
          )
        }
      </Show>
    </>
  );
}

function Detail({ rollout }: { readonly rollout: RolloutDetail }) {
  return (
    <>
      <h1>
        {rollout.product} {rollout.version}
      </h1>
      <p>
        <Badge tone={STATE_TONE[rollout.state]}>{rollout.state}</Badge>{' '}
        <span class="quiet">
          release {rollout.releaseId}, started <Ago at={rollout.createdAt} />
        </span>
      </p>
      <Progress rollout={rollout} />
      <Executions caption="Devices of this rollout" executions={rollout.executions} by="device" />
    </>
  );
}

export function RolloutPage({ id }: { readonly id: string }) {
  const rollout = useLive(() => api.rollout(id), `rollout ${id}`);
  return (
    <>
      <p>
        <a href="/rollouts">Rollouts</a>
      </p>
      <Show of={rollout}>{(value) => <Detail rollout={value} />}</Show>
    </>
  );
}
