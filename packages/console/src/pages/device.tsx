import type { AuditEntry, DeviceDetail } from '@holdfast/api';
import type { ComponentChildren } from 'preact';
import { api } from '../api.ts';
import { Badge } from '../components/badge.tsx';
import { Executions } from '../components/executions.tsx';
import { Show } from '../components/loaded.tsx';
import { type Column, Table } from '../components/table.tsx';
import { Ago } from '../components/time.tsx';
import { useLive } from '../use-live.ts';
import { DEVICE_TONE, POSTURE_TONE, type Tone } from '../words.ts';

type Certificate = DeviceDetail['certificates'][number];

const CERTIFICATE_TONE: Readonly<Record<Certificate['state'], Tone>> = {
  active: 'good',
  pending: 'watch',
  successor: 'watch',
  abandoned: 'plain',
  superseded: 'plain',
  revoked: 'bad',
  expired: 'bad',
};

const CERTIFICATES: readonly Column<Certificate>[] = [
  { title: 'Fingerprint', cell: (row) => <code title={row.fingerprint}>{row.fingerprint.slice(0, 16)}…</code> },
  { title: 'State', cell: (row) => <Badge tone={CERTIFICATE_TONE[row.state]}>{row.state}</Badge> },
  { title: 'Key made by', cell: (row) => row.keyOrigin },
  { title: 'Through', cell: (row) => row.door },
  { title: 'Until', cell: (row) => <time dateTime={row.notAfter}>{row.notAfter.slice(0, 10)}</time> },
];

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ device }: { readonly device: DeviceDetail }) {
  const { posture, firmware, presence } = device;
  return (
    <dl class="facts">
      <Fact name="Identity">
        <Badge tone={DEVICE_TONE[device.state]}>{device.state}</Badge>
      </Fact>
      <Fact name="Posture">
        <Badge tone={POSTURE_TONE[posture.state]}>{posture.state}</Badge>
        {posture.reasons.map((reason) => (
          <div class="reason" key={reason.code}>
            {reason.words}
          </div>
        ))}
      </Fact>
      <Fact name="Firmware">
        {firmware === undefined ? 'not proven' : `${firmware.version}, counter ${firmware.securityCounter}`}
        {firmware === undefined ? null : <div class="reason">measured {firmware.digest.slice(0, 16)}…</div>}
      </Fact>
      <Fact name="Connected">
        {presence.connected ? (
          <>
            <Ago at={presence.since} /> <span class="quiet">from {presence.address}</span>
          </>
        ) : (
          'no'
        )}
      </Fact>
      <Fact name="Last evidence">
        <Ago at={posture.evidenceAt} />
      </Fact>
      <Fact name="Product">
        {device.product} · {device.hardwareRevision}
      </Fact>
      <Fact name="Serial">{device.serial}</Fact>
      <Fact name="Groups">{device.groups.join(', ') || 'none'}</Fact>
    </dl>
  );
}

function Chain({ device }: { readonly device: DeviceDetail }) {
  return (
    <section>
      <h2>Certificates</h2>
      {device.certificates.length === 0 ? (
        <p class="quiet">It has not enrolled yet.</p>
      ) : (
        <Table
          caption="Certificates"
          rows={device.certificates}
          columns={CERTIFICATES}
          keyOf={(row) => row.fingerprint}
        />
      )}
      {device.chainPem === undefined ? null : (
        <details>
          <summary>Chain up to the root, as PEM</summary>
          <pre>
            <code>{device.chainPem}</code>
          </pre>
        </details>
      )}
    </section>
  );
}

function Timeline({ entries }: { readonly entries: readonly AuditEntry[] }) {
  return (
    <section>
      <h2>Timeline</h2>
      <ol class="timeline">
        {entries.map((entry) => (
          <li key={entry.sequence}>
            <strong>{entry.action}</strong> <span class="quiet">by {entry.actor}</span> <Ago at={entry.at} />
            <div class="reason">
              {Object.entries(entry.details)
                .map(([name, value]) => `${name} ${String(value)}`)
                .join(' · ')}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function DevicePage({ id }: { readonly id: string }) {
  const device = useLive(() => api.device(id), `device ${id}`);
  const executions = useLive(() => api.executions(id), `executions ${id}`);
  const timeline = useLive(() => api.timeline(id), `timeline ${id}`);
  return (
    <>
      <p>
        <a href="/">Fleet</a>
      </p>
      <h1>{id}</h1>
      <Show of={device}>
        {(value) => (
          <>
            <Facts device={value} />
            <Chain device={value} />
          </>
        )}
      </Show>
      <section>
        <h2>Jobs</h2>
        <Show of={executions}>
          {({ rows }) =>
            rows.length === 0 ? <p class="quiet">None.</p> : <Executions caption="Jobs" executions={rows} by="job" />
          }
        </Show>
      </section>
      <Show of={timeline}>{({ rows }) => <Timeline entries={rows} />}</Show>
    </>
  );
}
