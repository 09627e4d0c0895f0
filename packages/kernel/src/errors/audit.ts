import type { ErrorSpec } from './error-spec.ts';

export const AUDIT_ERRORS = {
  'audit.tampered': {
    message: 'the audit log is not what was written',
    http: 500,
    exit: 1,
    retry: false,
    next: 'stop, keep the data folder, and run: holdfast audit verify',
  },
  'audit.unknown_entry': {
    message: 'the audit log has no entry of this number',
    http: 404,
    exit: 66,
    retry: false,
    next: 'list the log with: holdfast audit list',
  },
  'audit.bad_checkpoint': {
    message: 'the checkpoint is not well formed or not signed by the log key',
    http: 400,
    exit: 1,
    retry: false,
    next: 'compare the log key with the one shown at the first start',
  },
} as const satisfies Record<string, ErrorSpec>;
