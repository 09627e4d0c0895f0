import type { ErrorSpec } from './error-spec.ts';

export const STORE_ERRORS = {
  'store.unavailable': {
    message: 'the record store did not answer',
    http: 503,
    exit: 75,
    retry: true,
    next: 'try again; run holdfast doctor if it stays so',
  },
  'store.conflict': {
    message: 'somebody else changed the same record first',
    http: 409,
    exit: 75,
    retry: true,
    next: 'read it again and repeat',
  },
  'store.full': {
    message: 'there is no space left for the record store',
    http: 507,
    exit: 75,
    retry: true,
    next: 'free space in the data folder',
  },
  'store.corrupt': {
    message: 'the record store does not hold what was written',
    http: 500,
    exit: 70,
    retry: false,
    next: 'stop, keep the folder, and restore a backup',
  },
} as const satisfies Record<string, ErrorSpec>;
