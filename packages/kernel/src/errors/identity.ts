import type { ErrorSpec } from './error-spec.ts';

export const IDENTITY_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
