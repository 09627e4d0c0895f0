import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { type Clock, encodeBase64, HoldfastError } from '@holdfast/kernel';
import { RATCHET_HEADER } from '@holdfast/wire/holdfast';
import { connectionError, type ServerTrust, type TlsCredentials, tlsOptions } from './tls-options.ts';

export interface HttpsRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Largest body taken, in bytes. */
  readonly limit: number;
}

export interface HttpsReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** HTTPS with the device's certificate, if it has one, over kept-alive connections; no redirect is followed. */
export class HttpsClient {
  readonly #agents = new Map<string, Agent>();
  readonly #credentials: TlsCredentials | ServerTrust;
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  constructor(credentials: TlsCredentials | ServerTrust, clock: Clock, timeoutMs = 30_000) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @throws `device.server_untrusted`, `device.connection_refused`, `device.connection_lost`, `device.no_answer`,
   * `request.too_large` when the body exceeds the limit, `kernel.aborted`
   */
  send({ method, url, headers = {}, body, limit }: HttpsRequest, signal?: AbortSignal): Promise<HttpsReply> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpsReply>();
    const fail = (error: unknown): void => {
      timer.cancel();
      reject(signal?.aborted === true ? new HoldfastError('kernel.aborted') : connectionError(error));
      call.destroy();
    };
    const call = request(url, {
      method,
      headers: { ...this.#proofHeader(), ...headers, ...(body === undefined ? {} : { 'Content-Length': body.length }) },
      agent: this.#agentOf(new URL(url).hostname),
      ...(signal === undefined ? {} : { signal }),
    });
    const timer = this.#clock.after(this.#timeoutMs, () => fail(new HoldfastError('device.no_answer')));
    call.on('error', fail);
    call.on('response', (response) => {
      const chunks: Uint8Array[] = [];
      let size = 0;
      response.on('data', (chunk: Uint8Array) => {
        size += chunk.length;
        if (size > limit) fail(new HoldfastError('request.too_large', { limit }));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        timer.cancel();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: new Uint8Array(Buffer.concat(chunks)),
        });
      });
    });
    call.end(body);
    return promise;
  }

  #proofHeader(): Readonly<Record<string, string>> {
    const proof = 'proof' in this.#credentials ? this.#credentials.proof?.() : undefined;
    return proof === undefined ? {} : { [RATCHET_HEADER]: encodeBase64(proof) };
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #agentOf(host: string): Agent {
    const bare = host.replace(/^\[|\]$/g, '');
    const agent =
      this.#agents.get(bare) ?? new Agent({ keepAlive: true, maxSockets: 2, ...tlsOptions(this.#credentials, bare) });
    this.#agents.set(bare, agent);
    return agent;
  }
}
