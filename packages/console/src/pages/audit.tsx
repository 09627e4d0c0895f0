import type { AuditEntry, AuditVerdict } from '@holdfast/api';
import { useState } from 'preact/hooks';
import { api, Refusal } from '../api.ts';
import { Show } from '../components/loaded.tsx';
import { type Column, Table } from '../components/table.tsx';
import { Ago } from '../components/time.tsx';
import { useLive } from '../use-live.ts';

/** A name as it is; of a fingerprint its beginning, with the whole behind it. */
function Name({ text }: { readonly text: string }) {
  const shown = text.replace(/[0-9a-f]{32,}/g, (hex) => `${hex.slice(0, 16)}…`);
  return <span title={text}>{shown}</span>;
}

const COLUMNS: readonly Column<AuditEntry>[] = [
  { title: '#', cell: (row) => row.sequence, number: true },
  { title: 'Action', cell: (row) => row.action },
  { title: 'Subject', cell: (row) => <Name text={row.subject} /> },
  { title: 'By', cell: (row) => <Name text={row.actor} /> },
  { title: 'When', cell: (row) => <Ago at={row.at} /> },
  { title: 'Leaf', cell: (row) => <code title={row.leafHash}>{row.leafHash.slice(0, 8)}</code> },
];

type Check =
  | AuditVerdict
  | { readonly kind: 'idle' | 'checking' }
  | { readonly kind: 'refused'; readonly words: string };

function Verdict({ check }: { readonly check: Check }) {
  const tone = check.kind === 'intact' ? 'good' : check.kind === 'checking' ? '' : 'bad';
  return check.kind === 'idle' ? null : <p class={`notice ${tone}`}>{wordsOf(check)}</p>;
}

function wordsOf(check: Exclude<Check, { readonly kind: 'idle' }>): string {
  if (check.kind === 'intact') {
    return `Intact: ${check.entries} entries agree with their hashes and with ${check.checkpoints} signed checkpoints.`;
  }
  if (check.kind === 'broken') return `Broken at entry ${check.firstBad.sequence}: ${check.firstBad.reason}.`;
  return check.kind === 'refused' ? `The server said: ${check.words}.` : 'Reading every entry…';
}

export function AuditPage() {
  const entries = useLive(() => api.audit(), 'audit');
  const [check, setCheck] = useState<Check>({ kind: 'idle' });
  const verify = () => {
    setCheck({ kind: 'checking' });
    api.verifyAudit().then(setCheck, (error: unknown) => {
      setCheck({ kind: 'refused', words: error instanceof Refusal ? error.message : 'no answer' });
    });
  };
  return (
    <>
      <h1>Audit log</h1>
      <p>
        Each entry is a leaf of a Merkle tree whose head is signed and kept outside the database: what was changed or
        removed is named.
      </p>
      <button type="button" onClick={verify} disabled={check.kind === 'checking'}>
        Check the log
      </button>
      <div aria-live="polite">
        <Verdict check={check} />
      </div>
      <Show of={entries}>
        {({ rows }) => (
          <Table caption="Entries, newest first" rows={rows} columns={COLUMNS} keyOf={(row) => String(row.sequence)} />
        )}
      </Show>
    </>
  );
}
