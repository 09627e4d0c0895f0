import type { ErrorSpec } from './error-spec.ts';

export const CLI_ERRORS = {
  'cli.file_exists': {
    message: 'a file of this name exists and is not overwritten',
    http: 409,
    exit: 65,
    retry: false,
    next: 'choose another name or move the file away',
  },
  'cli.file_unusable': {
    message: 'the file cannot be read or written',
    http: 500,
    exit: 66,
    retry: false,
    next: 'check that the path exists and that you may use it',
  },
} as const satisfies Record<string, ErrorSpec>;
