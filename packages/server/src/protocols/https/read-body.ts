import type { IncomingMessage } from 'node:http';
import { type Clock, concatBytes } from '@holdfast/kernel';

export type BodyResult =
  | { readonly kind: 'body'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'too-slow' }
  | { readonly kind: 'broken' };

/** A body must arrive in this time, whatever its length: a byte a second holds a request no longer. */
const BODY_DEADLINE_MS = 30_000;

/** Reads a request's body up to a limit; a declared length over the limit is refused before a byte is read. */
export function readBody(request: IncomingMessage, maxBytes: number, clock: Clock): Promise<BodyResult> {
  const declared = Number(request.headers['content-length'] ?? '0');
  if (declared > maxBytes) return Promise.resolve({ kind: 'too-large' });
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const finish = (result: BodyResult) => {
      deadline.cancel();
      request.off('data', take);
      request.off('end', end);
      request.off('error', fail);
      request.off('close', fail);
      resolve(result);
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) {
        request.pause();
        finish({ kind: 'too-large' });
      } else {
        chunks.push(chunk);
      }
    };
    const end = () => finish({ kind: 'body', bytes: concatBytes(...chunks) });
    const fail = () => finish({ kind: 'broken' });
    const deadline = clock.after(BODY_DEADLINE_MS, () => finish({ kind: 'too-slow' }));
    request.on('data', take);
    request.on('end', end);
    request.on('error', fail);
    request.on('close', fail);
  });
}
