import type { ErrorSpec } from './error-spec.ts';

export const STORAGE_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
