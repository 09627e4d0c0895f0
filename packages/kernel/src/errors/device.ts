import type { ErrorSpec } from './error-spec.ts';

export const DEVICE_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
