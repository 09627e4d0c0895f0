import type { Device } from '@holdfast/api';
import { api } from '../api.ts';
import { Badge } from '../components/badge.tsx';
import { Show } from '../components/loaded.tsx';
import { type Column, Table } from '../components/table.tsx';
import { Ago } from '../components/time.tsx';
import { useLive } from '../use-live.ts';
import { DEVICE_TONE, POSTURE_TONE } from '../words.ts';

const COLUMNS: readonly Column<Device>[] = [
  {
    title: 'Device',
    cell: (row) => (
      <>
        <a href={`/devices/${row.id}`}>{row.id}</a>
        <div class="quiet">
          {row.product} · {row.hardwareRevision}
        </div>
      </>
    ),
  },
  { title: 'Identity', cell: (row) => <Badge tone={DEVICE_TONE[row.state]}>{row.state}</Badge> },
  {
    title: 'Posture',
    cell: (row) => (
      <>
        <Badge tone={POSTURE_TONE[row.posture.state]}>{row.posture.state}</Badge>
        {row.posture.reasons.map((reason) => (
          <div class="reason" key={reason.code}>
            {reason.words}
          </div>
        ))}
      </>
    ),
  },
  { title: 'Firmware', cell: (row) => row.firmware?.version ?? <span class="quiet">not proven</span> },
  {
    title: 'Connected',
    cell: (row) => (row.presence.connected ? <Ago at={row.presence.since} /> : <span class="quiet">no</span>),
  },
  { title: 'Last evidence', cell: (row) => <Ago at={row.posture.evidenceAt} /> },
];

function count(devices: readonly Device[], is: (device: Device) => boolean): number {
  return devices.filter(is).length;
}

function Summary({ devices }: { readonly devices: readonly Device[] }) {
  const figures = [
    ['devices', devices.length],
    ['connected', count(devices, (device) => device.presence.connected)],
    ['proven', count(devices, (device) => device.posture.state === 'proven')],
    ['held back', count(devices, (device) => device.posture.state !== 'proven')],
  ] as const;
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Empty() {
  return (
    <div class="empty">
      <h2>No device yet</h2>
      <p>Make a virtual one in the factory, enroll it and watch it prove what it booted:</p>
      <pre>
        <code>npm run holdfast -- device run</code>
      </pre>
      <p class="quiet">
        Or see the whole story, attacks included: <code>npm run demo -- --keep</code>
      </p>
    </div>
  );
}

export function FleetPage() {
  const devices = useLive(() => api.devices(), 'devices');
  return (
    <>
      <h1>Fleet</h1>
      <Show of={devices}>
        {({ rows, next }) =>
          rows.length === 0 ? (
            <Empty />
          ) : (
            <>
              <Summary devices={rows} />
              <Table caption="Devices" rows={rows} columns={COLUMNS} keyOf={(row) => row.id} />
              {next === undefined ? null : <p class="quiet">The first {rows.length} devices are shown.</p>}
            </>
          )
        }
      </Show>
    </>
  );
}
