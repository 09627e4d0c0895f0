import { parseDeviceJson } from '@holdfast/kernel';
import { JsonFields } from '../json/index.ts';
import { BOOT_STATES, type BootState } from './evidence-messages.ts';

/** What a device says of itself; self-reported, shown as such, never grounds for trust. */
export interface HealthReport {
  readonly firmwareVersion: string;
  readonly bootState: BootState;
  readonly bootCount: number;
  /** Highest erase count of any flash sector. */
  readonly maxSectorErases: number;
  readonly uptimeSeconds: number;
  /** Code of the last failed update, if any. */
  readonly lastUpdateError?: string;
}

export function encodeHealthReport(report: HealthReport): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(report));
}

/** @throws `wire.malformed` */
export function decodeHealthReport(payload: Uint8Array): HealthReport {
  const fields = new JsonFields(parseDeviceJson(payload), 'health');
  const lastUpdateError = fields.optional('lastUpdateError', (from, name) => from.text(name, { max: 128 }));
  return {
    firmwareVersion: fields.text('firmwareVersion', { max: 64 }),
    bootState: fields.oneOf('bootState', BOOT_STATES),
    bootCount: fields.integer('bootCount'),
    maxSectorErases: fields.integer('maxSectorErases'),
    uptimeSeconds: fields.integer('uptimeSeconds'),
    ...(lastUpdateError === undefined ? {} : { lastUpdateError }),
  };
}
