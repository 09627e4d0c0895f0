import { systemClock, type Timer } from '@holdfast/kernel';
import { signal } from '@preact/signals';

export type LiveState = 'connecting' | 'live' | 'lost';

/** Whether what is shown is what is. */
export const liveState = signal<LiveState>('connecting');

const listeners = new Set<() => void>();
const SETTLE_MS = 150;
let source: EventSource | undefined;
let settling: Timer | undefined;

/** Every event of the outbox and of presence that can change what a page shows. */
const NAMES = [
  'presence.connected',
  'presence.disconnected',
  'device.enrolled',
  'device.suspended',
  'device.revoked',
  'device.readmitted',
  'device.quarantined',
  'certificate.revoked',
  'certificate.superseded',
  'posture.changed',
  'evidence.accepted',
  'evidence.refused',
  'product.changed',
  'release.created',
  'release.cancelled',
  'rollout.started',
  'rollout.cancelled',
  'rollout.completed',
  'execution.queued',
  'execution.changed',
  'artifact.corrupt',
  'reset',
];

/** Opens the server's event stream once; the browser resumes it with Last-Event-ID by itself. */
export function goLive(): void {
  if (source !== undefined) return;
  source = new EventSource('/api/v1/events');
  source.addEventListener('open', () => {
    liveState.value = 'live';
    announce();
  });
  source.addEventListener('error', () => {
    liveState.value = 'lost';
  });
  for (const name of NAMES) source.addEventListener(name, announce);
}

/** Calls `listener` once things settle after a change; the answer ends it. */
export function onChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A storm of events makes one reload, not a hundred. */
function announce(): void {
  settling ??= systemClock.after(SETTLE_MS, () => {
    settling = undefined;
    for (const listener of listeners) listener();
  });
}
