import { request, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { ConnectionOptions } from 'node:tls';

export interface HttpsAsk {
  readonly port: number;
  readonly ca: string;
  readonly method: string;
  readonly target: string;
  readonly credential?: { readonly keyPem: string; readonly pem: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly tls?: ConnectionOptions;
}

export interface HttpAnswer {
  /** 0 when the connection ended without an answer. */
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** One request on a connection of its own; a refused handshake and a cut are an answer with status 0. */
export function ask({ port, ca, method, target, credential, headers, body, tls }: HttpsAsk): Promise<HttpAnswer> {
  const own = credential === undefined ? {} : { key: credential.keyPem, cert: credential.pem };
  const options: RequestOptions = {
    host: '127.0.0.1',
    servername: 'localhost',
    agent: false,
    port,
    ca,
    ...own,
    ...tls,
  };
  return new Promise((resolve) => {
    const lost = (error: Error) => resolve({ status: 0, text: error.message, headers: {} });
    const length = body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
    const outgoing = request({
      ...options,
      method,
      path: target,
      headers: { host: 'localhost', ...length, ...headers },
    });
    outgoing.on('error', lost);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', lost);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('latin1');
        resolve({ status: incoming.statusCode ?? 0, text, headers: incoming.headers });
      });
    });
    outgoing.end(body);
  });
}
