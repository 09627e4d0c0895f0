import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { isIP } from 'node:net';
import {
  type Clock,
  concatBytes,
  encodeHex,
  encodeUtf8,
  HoldfastError,
  isJsonObject,
  type JsonValue,
  parseStrictJson,
  type Random,
} from '@holdfast/kernel';
import type { HookAnswer, HookQuestion, ProvisioningHooks, ProvisioningWebhook, Tenant } from '@holdfast/trust/ports';
import { guardedLookup, mayReach, NOT_ALLOWED } from '../webhook/private-address.ts';
import { webhookHeaders } from '../webhook/signature.ts';

export interface WebhooksPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly secretOf: (tenant: Tenant, template: string) => Promise<Uint8Array | undefined>;
}

/** What AWS gives a Lambda, waiting included. */
export const HOOK_LIMIT_MS = 5000;
const MAX_ANSWER = 65_536;
const AT_ONCE = 16;
const MAX_WAITING = 64;

const failed = (reason: string): HookAnswer => ({ kind: 'failed', reason });

/**
 * Asks pre-provisioning hooks over HTTPS: signed as Standard Webhooks has it, verified TLS, no redirect, five seconds.
 * A hook may be in our own network; where clouds keep their credentials it never is.
 *
 * @see https://www.standardwebhooks.com specification, "Signature scheme"
 */
export class Webhooks implements ProvisioningHooks {
  readonly #ports: WebhooksPorts;
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;

  constructor(ports: WebhooksPorts) {
    this.#ports = ports;
  }

  async ask(
    of: { readonly tenant: Tenant; readonly template: string; readonly webhook: ProvisioningWebhook },
    question: HookQuestion,
  ): Promise<HookAnswer> {
    const { clock, secretOf } = this.#ports;
    const secret = await secretOf(of.tenant, of.template);
    if (secret === undefined) return failed('no-secret');
    const late = new AbortController();
    const timer = clock.after(HOOK_LIMIT_MS, () => late.abort());
    try {
      if (!(await this.#enter(late.signal))) return failed('busy');
      try {
        return answerOf(await this.#send(of.webhook, { secret, question, signal: late.signal }));
      } finally {
        this.#leave();
      }
    } catch (error) {
      return failed(late.signal.aborted ? 'timeout' : reasonOf(error));
    } finally {
      timer.cancel();
    }
  }

  #enter(signal: AbortSignal): Promise<boolean> {
    if (this.#inFlight < AT_ONCE) {
      this.#inFlight += 1;
      return Promise.resolve(true);
    }
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const enter = () => resolve(true);
    this.#waiting.push(enter);
    signal.addEventListener('abort', () => {
      const at = this.#waiting.indexOf(enter);
      if (at >= 0) this.#waiting.splice(at, 1);
      resolve(false);
    });
    return promise;
  }

  /** Who waits longest takes the place. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inFlight -= 1;
    else next();
  }

  #send(
    { url, caPem }: ProvisioningWebhook,
    given: { readonly secret: Uint8Array; readonly question: HookQuestion; readonly signal: AbortSignal },
  ): Promise<Uint8Array> {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !mayReach(host, true)) return Promise.reject(new HookFailure('address'));
    const { clock, random } = this.#ports;
    const body = JSON.stringify(given.question);
    const id = `msg_${encodeHex(random.bytes(16))}`;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const options: RequestOptions = {
      method: 'POST',
      signal: given.signal,
      agent: false,
      lookup: guardedLookup(true),
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(caPem === undefined ? {} : { ca: caPem }),
      headers: {
        'content-type': 'application/json',
        'content-length': encodeUtf8(body).length,
        ...webhookHeaders({ id, at: clock.now(), body }, [given.secret]),
      },
    };
    request(url, options, (response) => void readAnswer(response).then(resolve, reject))
      .on('error', reject)
      .end(body);
    return promise;
  }
}

class HookFailure extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** Only 200 is an answer: a redirect leads where nobody was asked to go. */
async function readAnswer(response: IncomingMessage): Promise<Uint8Array> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new HookFailure(`status-${response.statusCode ?? 0}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw new HookFailure('too-large');
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

/** Anything but true denies; AWS documents the word as text too. */
function answerOf(bytes: Uint8Array): HookAnswer {
  let answer: JsonValue;
  try {
    answer = parseStrictJson(bytes);
  } catch (error) {
    if (HoldfastError.is(error)) return failed('not-json');
    throw error;
  }
  if (!isJsonObject(answer)) return failed('not-json');
  const { allowProvisioning, parameterOverrides = {} } = answer;
  if (allowProvisioning !== true && allowProvisioning !== 'true') return { kind: 'denied' };
  if (!isJsonObject(parameterOverrides)) return failed('overrides');
  const entries = Object.entries(parameterOverrides);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return failed('overrides');
  return { kind: 'allowed', overrides: Object.fromEntries(entries) };
}

/** Node's own word for it: `ECONNREFUSED`, `SELF_SIGNED_CERT_IN_CHAIN`. */
function reasonOf(error: unknown): string {
  if (error instanceof HookFailure) return error.reason;
  const code: unknown = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  if (code === NOT_ALLOWED) return 'address';
  return typeof code === 'string' ? code : 'unreachable';
}
