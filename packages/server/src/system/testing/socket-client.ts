import { request } from 'node:http';
import { Readable } from 'node:stream';
import { type ApiClient, type ApiRequest, type ApiResponse, createClient } from '@holdfast/api';

/** The management API over the Unix socket in a data folder. */
export function socketClient(socketPath: () => string): ApiClient {
  return createClient((apiRequest) => callSocket(socketPath(), apiRequest));
}

function callSocket(socketPath: string, { method, path: target, body, contentType, signal }: ApiRequest) {
  return new Promise<ApiResponse>((resolve, reject) => {
    const headers = { host: 'localhost', ...(contentType === undefined ? {} : { 'content-type': contentType }) };
    const outgoing = request({ socketPath, method, path: target, headers, ...(signal ? { signal } : {}) });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const octets = new Uint8Array(Buffer.concat(chunks));
        resolve({ status: incoming.statusCode ?? 0, text: Buffer.from(octets).toString(), octets });
      });
    });
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body);
    else Readable.from(body, { objectMode: false }).pipe(outgoing);
  });
}
