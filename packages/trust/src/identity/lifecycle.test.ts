import { describe, expect, it } from 'vitest';
import type { DeviceState } from '../ports/index.ts';
import { DEVICE_LIFECYCLE, type DeviceEvent } from './lifecycle.ts';

const EVENTS: readonly DeviceEvent[] = ['enroll', 'suspend', 'quarantine', 'readmit', 'reopen', 'revoke', 'archive'];

/** Written apart from the table under test: each allowed pair, all others refused. */
const ALLOWED: Readonly<Record<string, DeviceState>> = {
  'established enroll': 'active',
  'established suspend': 'suspended',
  'established revoke': 'revoked',
  'established archive': 'archived',
  'active suspend': 'suspended',
  'active quarantine': 'quarantined',
  'active reopen': 'established',
  'active revoke': 'revoked',
  'suspended quarantine': 'quarantined',
  'suspended readmit': 'active',
  'suspended reopen': 'established',
  'suspended revoke': 'revoked',
  'quarantined readmit': 'active',
  'quarantined reopen': 'established',
  'quarantined revoke': 'revoked',
  'revoked reopen': 'established',
  'revoked archive': 'archived',
};

const PAIRS = DEVICE_LIFECYCLE.states.flatMap((state) => EVENTS.map((event) => ({ state, event })));

describe('the lifecycle of a device', () => {
  it.each(PAIRS)('answers $event in $state as stated', ({ state, event }) => {
    expect(DEVICE_LIFECYCLE.next(state, event)).toBe(ALLOWED[`${state} ${event}`]);
  });

  it('lets a revoked, suspended or quarantined device back by an operator alone', () => {
    for (const state of ['revoked', 'suspended', 'quarantined'] as const) {
      expect(DEVICE_LIFECYCLE.next(state, 'enroll')).toBeUndefined();
    }
  });

  it('ends in the archive', () => {
    expect(DEVICE_LIFECYCLE.states.filter((state) => DEVICE_LIFECYCLE.isTerminal(state))).toEqual(['archived']);
  });
});
