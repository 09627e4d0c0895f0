import { existsSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { type ApiClient, type ApiRequest, type ApiResponse, createClient } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';

/** Name of the management socket in the data folder. */
export const SOCKET_NAME = 'holdfast.sock';

/** Linux refuses longer socket paths (sockaddr_un). */
const MAX_SOCKET_PATH = 107;

/** A client over the Unix socket of the server that runs on `dataFolder`. Whoever may open the socket is the operator. */
export function createLocalClient(dataFolder: string): ApiClient {
  const socketPath = socketPathOf(dataFolder);
  return createClient((apiRequest) => send(socketPath, apiRequest));
}

/** The socket's path, relative when the absolute one would be too long for the system. */
export function socketPathOf(dataFolder: string): string {
  const absolute = path.resolve(dataFolder, SOCKET_NAME);
  return absolute.length <= MAX_SOCKET_PATH ? absolute : path.relative(process.cwd(), absolute);
}

function send(socketPath: string, apiRequest: ApiRequest): Promise<ApiResponse> {
  if (!existsSync(socketPath)) {
    return Promise.reject(new HoldfastError('server.unreachable', { socket: socketPath }));
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        method: apiRequest.method,
        path: apiRequest.path,
        headers: {
          host: 'localhost',
          ...(apiRequest.contentType === undefined ? {} : { 'content-type': apiRequest.contentType }),
        },
        ...(apiRequest.signal === undefined ? {} : { signal: apiRequest.signal }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const status = incoming.statusCode ?? 0;
          const body = Buffer.concat(chunks);
          const isRaw = incoming.headers['content-type'] === 'application/octet-stream';
          resolve(isRaw ? { status, text: '', octets: new Uint8Array(body) } : { status, text: body.toString() });
        });
        incoming.on('error', reject);
      },
    );
    outgoing.on('error', (cause) => reject(new HoldfastError('server.unreachable', { socket: socketPath }, { cause })));
    const { body } = apiRequest;
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body);
    else Readable.from(body, { objectMode: false }).pipe(outgoing);
  });
}
