import { ERRORS, type ErrorCode, toHoldfastError } from '@holdfast/kernel';
import type { DeviceResponse } from './device-route.ts';

/** A coded error as RFC 9457 problem details; only the table's words go out, never those of an exception. */
export function problem(code: ErrorCode, headers: Readonly<Record<string, string>> = {}): DeviceResponse {
  const row = ERRORS[code];
  return {
    status: row.http,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(row.retry && row.http === 503 ? { 'retry-after': '5' } : {}),
      ...headers,
    },
    body: JSON.stringify({
      type: `urn:holdfast:error:${code}`,
      title: row.message,
      status: row.http,
      code,
      next: row.next,
    }),
  };
}

export function problemOf(error: unknown): DeviceResponse {
  return problem(toHoldfastError(error).code);
}
