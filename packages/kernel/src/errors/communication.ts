import type { ErrorSpec } from './error-spec.ts';

export const COMMUNICATION_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
