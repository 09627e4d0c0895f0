import { defineMachine } from '@holdfast/kernel';
import type { DeviceState } from '../ports/index.ts';

/**
 * `enroll`: a first certificate was attached. `readmit`: an operator takes a device with a certificate back.
 * `reopen`: an operator lets a device without one enroll again.
 */
export type DeviceEvent = 'enroll' | 'suspend' | 'quarantine' | 'readmit' | 'reopen' | 'revoke' | 'archive';

/** ISO/IEC 24760 lifecycle of a device. Only `established` accepts a first certificate. */
export const DEVICE_LIFECYCLE = defineMachine<DeviceState, DeviceEvent>({
  name: 'device',
  initial: 'established',
  transitions: {
    established: { enroll: 'active', suspend: 'suspended', revoke: 'revoked', archive: 'archived' },
    active: { suspend: 'suspended', quarantine: 'quarantined', reopen: 'established', revoke: 'revoked' },
    suspended: { quarantine: 'quarantined', readmit: 'active', reopen: 'established', revoke: 'revoked' },
    quarantined: { readmit: 'active', reopen: 'established', revoke: 'revoked' },
    revoked: { reopen: 'established', archive: 'archived' },
    archived: {},
  },
});
