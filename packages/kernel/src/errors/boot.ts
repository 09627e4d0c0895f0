import type { ErrorSpec } from './error-spec.ts';

export const BOOT_ERRORS = {} as const satisfies Record<string, ErrorSpec>;
