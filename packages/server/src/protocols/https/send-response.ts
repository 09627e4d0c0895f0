import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Clock } from '@holdfast/kernel';
import type { DeviceResponse } from './device-route.ts';

export interface SendOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Asked before each chunk of a streamed body; false stops the transfer and drops the connection. */
  readonly mayGoOn: () => Promise<boolean>;
}

/** A reader that takes nothing for this long is gone. */
const STALL_MS = 30_000;

/** Writes a response; a stream that fails or may not go on ends in a reset, never in a short body that looks whole. */
export async function sendResponse(
  response: ServerResponse,
  answer: DeviceResponse,
  options: SendOptions,
): Promise<void> {
  const { body } = answer;
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array(0));
    // A HEAD answer states the length its GET would have.
    const lengths = hasLength(answer) || answer.status === 204 ? {} : { 'content-length': bytes.length };
    response.writeHead(answer.status, { ...answer.headers, ...lengths });
    response.end(response.req.method === 'HEAD' ? undefined : bytes);
    return;
  }
  response.writeHead(answer.status, answer.headers);
  try {
    for await (const chunk of body) {
      if (options.signal.aborted || !(await options.mayGoOn())) {
        response.destroy();
        return;
      }
      if (!response.write(chunk)) await drained(response, options);
    }
    response.end();
  } catch {
    response.destroy();
  }
}

function hasLength(answer: DeviceResponse): boolean {
  return Object.keys(answer.headers ?? {}).some((name) => name.toLowerCase() === 'content-length');
}

async function drained(response: ServerResponse, { clock, signal }: SendOptions): Promise<void> {
  const stall = clock.after(STALL_MS, () => response.destroy());
  try {
    await once(response, 'drain', { signal });
  } finally {
    stall.cancel();
  }
}
