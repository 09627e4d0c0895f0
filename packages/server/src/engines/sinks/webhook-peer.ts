import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Clock } from '@holdfast/kernel';
import { guardedLookup, mayReach, NOT_ALLOWED } from '../webhook/private-address.ts';
import type { OutgoingMessage, SinkPeer, SinkVerdict } from './sink-peer.ts';
import { webhookHeaders } from '../webhook/signature.ts';

export interface WebhookOptions {
  /** `https:`; `http:` on this machine alone. */
  readonly url: string;
  readonly secrets: readonly Uint8Array[];
  /** Whether addresses of this machine and its networks may be reached. */
  readonly privateNetwork: boolean;
  /** PEM of the roots the receiver is verified by; undefined: those of the system. */
  readonly caPem: string | undefined;
  readonly maxMessages: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Statuses that say "not now": all others below 500 say that it is the message. */
const LATER: ReadonlySet<number> = new Set([401, 403, 404, 407, 408, 421, 425, 429]);
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Posts batches as JSON, signed as Standard Webhooks has it. Redirects are not followed: whoever answers for the
 * receiver must not choose where a fleet's data goes.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
 */
export class WebhookPeer implements SinkPeer {
  readonly maxMessages: number;
  readonly #options: WebhookOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.maxMessages = options.maxMessages;
    this.#url = new URL(options.url);
    const shared = { keepAlive: true, maxSockets: 1, lookup: guardedLookup(options.privateNetwork) };
    const ca = options.caPem === undefined ? {} : { ca: options.caPem };
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent({ ...shared, ...ca }) : new HttpAgent(shared);
  }

  async send(batch: readonly OutgoingMessage[], signal: AbortSignal): Promise<SinkVerdict> {
    const { clock, privateNetwork, secrets } = this.#options;
    const host = this.#url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !mayReach(host, privateNetwork)) return { kind: 'later', reason: 'address not allowed' };
    const body = `{"messages":[${batch.map(({ json }) => json).join(',')}]}`;
    const id = `${batch[0]?.id}-${batch.length}`;
    const headers = webhookHeaders({ id, at: clock.now(), body }, secrets);
    return this.#post(body, headers, signal);
  }

  close(): Promise<void> {
    this.#agent.destroy();
    return Promise.resolve();
  }

  #post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<SinkVerdict> {
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve) => {
      const request = this.#request(body, headers, signal);
      const deadline = clock.after(timeoutMs, () => request.destroy(new Error('too slow')));
      const settle = (verdict: SinkVerdict) => {
        deadline.cancel();
        resolve(verdict);
      };
      let answered = false;
      request.on('response', (answer) => {
        answered = true;
        readToEnd(answer, () => settle(verdictOf(answer, clock)));
      });
      request.on('error', (error) => settle({ kind: 'later', reason: reasonOf(error) }));
      request.on('close', () => {
        if (!answered) settle({ kind: 'later', reason: 'connection lost' });
      });
      request.end(body);
    });
  }

  #request(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): ClientRequest {
    const options = {
      method: 'POST',
      agent: this.#agent,
      signal,
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'holdfast',
      },
    };
    return this.#url.protocol === 'https:' ? httpsRequest(this.#url, options) : httpRequest(this.#url, options);
  }
}

/** The answer itself is of no interest, and must not be without end. */
function readToEnd(answer: IncomingMessage, done: () => void): void {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) answer.destroy();
  });
  answer.on('close', done);
}

function verdictOf(answer: IncomingMessage, clock: Clock): SinkVerdict {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const reason = `HTTP ${status}`;
  if (status >= 400 && status < 500 && !LATER.has(status)) return { kind: 'refused', reason };
  const retryAfterMs = retryAfter(answer.headers['retry-after'], clock);
  return { kind: 'later', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(value: string | undefined, clock: Clock): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.now());
}

function reasonOf(error: Error & { readonly code?: unknown }): string {
  if (error.code === NOT_ALLOWED) return 'address not allowed';
  return typeof error.code === 'string' ? error.code : 'too slow or cut off';
}
