import type { ClientRequest } from 'node:http';
import { Readable } from 'node:stream';
import type { ApiRequest, ApiResponse } from '@holdfast/api';

/** What a request is opened with, wherever it goes. */
interface Opening {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Sends one request over whatever `open` connects to, and reads the whole answer. */
export function exchange(
  apiRequest: ApiRequest,
  open: (options: Opening) => ClientRequest,
  unreachable: (cause: unknown) => Error,
): Promise<ApiResponse> {
  const { body, contentType, method, path, signal } = apiRequest;
  return new Promise((resolve, reject) => {
    const outgoing = open({
      method,
      path,
      headers: { host: 'localhost', ...(contentType === undefined ? {} : { 'content-type': contentType }) },
      ...(signal === undefined ? {} : { signal }),
    });
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 0;
        const whole = Buffer.concat(chunks);
        const isRaw = incoming.headers['content-type'] === 'application/octet-stream';
        resolve(isRaw ? { status, text: '', octets: new Uint8Array(whole) } : { status, text: whole.toString() });
      });
      incoming.on('error', reject);
    });
    outgoing.on('error', (cause) => reject(unreachable(cause)));
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body);
    else Readable.from(body, { objectMode: false }).pipe(outgoing);
  });
}
