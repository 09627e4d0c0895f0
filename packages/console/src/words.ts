import type { Device } from '@holdfast/api';

export type Tone = 'good' | 'watch' | 'bad' | 'plain';

/** How a posture reads and how it looks; the word always stands beside the colour. */
export const POSTURE_TONE: Readonly<Record<Device['posture']['state'], Tone>> = {
  proven: 'good',
  unproven: 'watch',
  restricted: 'watch',
  quarantined: 'bad',
};

export const DEVICE_TONE: Readonly<Record<Device['state'], Tone>> = {
  established: 'plain',
  active: 'good',
  suspended: 'watch',
  quarantined: 'bad',
  revoked: 'bad',
  archived: 'plain',
};

export const OUTCOME_TONE: Readonly<Record<string, Tone>> = {
  proven: 'good',
  reported: 'watch',
  'rolled-back': 'bad',
  failed: 'bad',
  'timed-out': 'bad',
  rejected: 'bad',
  canceled: 'plain',
};

const STEPS: readonly (readonly [seconds: number, unit: Intl.RelativeTimeFormatUnit])[] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** `3 minutes ago`. @param at - RFC 3339 */
export function ago(at: string, now: number): string {
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  const [size, unit] = STEPS.find(([size]) => Math.abs(seconds) >= size) ?? [1, 'second'];
  return RELATIVE.format(-Math.floor(seconds / size), unit);
}
