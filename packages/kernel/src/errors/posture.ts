import type { ErrorSpec } from './error-spec.ts';

export const POSTURE_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
