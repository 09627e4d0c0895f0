import type { ErrorSpec } from './error-spec.ts';

export const AUDIT_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
