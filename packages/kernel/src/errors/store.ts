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
  'store.newer': {
    message: 'the record store was written by a newer version',
    http: 500,
    exit: 78,
    retry: false,
    next: 'start the version that wrote it, or a newer one',
  },
  'store.migration_changed': {
    message: 'the record store was made by a version that is not an ancestor of this one',
    http: 500,
    exit: 78,
    retry: false,
    next: 'start the version that wrote it',
  },
  'store.in_use': {
    message: 'another process works in this data folder',
    http: 503,
    exit: 75,
    retry: true,
    next: 'stop the other process, or name another folder with --data',
  },
  'store.exposed': {
    message: 'the data folder is open to other users of this machine',
    http: 500,
    exit: 78,
    retry: false,
    next: 'make it yours alone: chmod 700 and chown',
  },
  'store.bad_address': {
    message: 'the address of the database cannot be used as it is given',
    http: 500,
    exit: 78,
    retry: false,
    next: 'see the field in the details and docs/guides/postgresql.md',
  },
  'store.unsuitable': {
    message: 'the database could lose or alter what it acknowledged',
    http: 500,
    exit: 78,
    retry: false,
    next: 'change the setting in the details, or name another database with --store',
  },
} as const satisfies Record<string, ErrorSpec>;
