import type { ErrorSpec } from './error-spec.ts';

export const UPDATE_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
