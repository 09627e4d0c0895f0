import type { Problem } from '@holdfast/api';
import { type HoldfastError, type Log, toHoldfastError } from '@holdfast/kernel';

/** RFC 9457 problem of anything thrown. Its words are the error table's: no caller's text is echoed. */
export function toProblem(error: unknown, log: Log): Problem {
  const coded: HoldfastError = toHoldfastError(error);
  const { code, spec, message, details } = coded;
  if (code === 'kernel.internal') log.error('a request failed inside', { cause: describeCause(coded.cause) });
  return {
    type: `urn:holdfast:error:${code}`,
    title: message,
    status: spec.http,
    code,
    next: spec.next,
    details: definedDetails(details),
  };
}

function definedDetails(details: HoldfastError['details']): Record<string, string | number | boolean> {
  const entries = Object.entries(details).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string | number | boolean>;
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
