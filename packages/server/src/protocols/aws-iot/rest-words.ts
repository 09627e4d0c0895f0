import { encodeHex, type HoldfastError, type Random, toHoldfastError } from '@holdfast/kernel';
import type { DeviceResponse } from '../https/device-route.ts';

/** Names of the AWS IoT data planes by status; the SDKs make their exceptions from the header alone. */
const EXCEPTIONS: ReadonlyMap<number, string> = new Map([
  [400, 'InvalidRequestException'],
  [401, 'UnauthorizedException'],
  [403, 'ForbiddenException'],
  [404, 'ResourceNotFoundException'],
  [405, 'MethodNotAllowedException'],
  [409, 'ConflictException'],
  [410, 'TerminalStateException'],
  [413, 'RequestEntityTooLargeException'],
  [415, 'UnsupportedDocumentEncodingException'],
  [429, 'ThrottlingException'],
  [503, 'ServiceUnavailableException'],
]);

/** UUID of version 4, as AWS puts into every answer. */
export function newTraceId(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = encodeHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function jsonAnswer(body: Uint8Array | string): DeviceResponse {
  return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body };
}

/** An error as the data planes word it: `{message, traceId}` and the exception's name. */
export function restError(
  caught: unknown,
  { traceId, word }: { readonly traceId: string; readonly word?: (error: HoldfastError) => RestWord | undefined },
): DeviceResponse {
  const error = toHoldfastError(caught);
  const { status, message } = word?.(error) ?? { status: error.spec.http, message: `${error.code}: ${error.message}` };
  const known = EXCEPTIONS.has(status) ? status : 500;
  const name = error.code === 'update.invalid_transition' ? 'InvalidStateTransitionException' : EXCEPTIONS.get(known);
  return {
    status: known,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-amzn-errortype': name ?? 'InternalFailureException',
      ...(known === 503 ? { 'retry-after': '5' } : {}),
    },
    body: JSON.stringify({ message, traceId }),
  };
}

export interface RestWord {
  readonly status: number;
  readonly message: string;
}
