import { HoldfastError } from '@holdfast/kernel';
import type { z } from 'zod';
import { OPERATIONS, type Operation, type OperationName, type Operations } from './operations.ts';
import { Problem } from './schemas/common.ts';

/** What a client sends through whatever carries it: fetch in a browser, a Unix socket or mutual TLS in the CLI. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string | AsyncIterable<Uint8Array> | Uint8Array;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  readonly text: string;
  /** The body as it came, when it is `application/octet-stream`. */
  readonly octets?: Uint8Array;
}

export type Transport = (request: ApiRequest) => Promise<ApiResponse>;

type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & PathParams<Rest>
  : unknown;

type QueryOf<Op> = Op extends { readonly query: infer Q extends z.ZodType } ? { readonly query?: z.input<Q> } : unknown;
type BodyOf<Op> = Op extends { readonly body: infer B extends z.ZodType } ? { readonly body: z.input<B> } : unknown;
type UploadOf<Op> = Op extends { readonly upload: 'octets' }
  ? { readonly octets: Uint8Array | AsyncIterable<Uint8Array> }
  : unknown;

/** Everything one call needs: path parts, query, body or bytes, and a signal to stop it. */
export type CallInput<Name extends OperationName> = PathParams<Operations[Name]['path']> &
  QueryOf<Operations[Name]> &
  BodyOf<Operations[Name]> &
  UploadOf<Operations[Name]> & { readonly signal?: AbortSignal };

export type CallOutput<Name extends OperationName> = z.output<Operations[Name]['response']>;

/** A problem the server answered: the stable code and everything it said. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

export interface ApiClient {
  /** @throws `ApiProblem` for an answer that is not 2xx; `request.invalid` when the answer has not the stated form. */
  call<Name extends OperationName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>>;
}

interface LooseInput {
  readonly [part: string]: unknown;
}

type Scalar = string | number | boolean | undefined;

/** A typed client over any transport. */
export function createClient(transport: Transport): ApiClient {
  return {
    async call<Name extends OperationName>(name: Name, input: CallInput<Name>) {
      const operation: Operation = OPERATIONS[name];
      const response = await transport(toRequest(operation, input));
      if (response.status < 200 || response.status >= 300) throw new ApiProblem(toProblem(response));
      const parsed = operation.response.safeParse(answerOf(operation, response));
      if (!parsed.success) throw new HoldfastError('request.invalid', { operation: name }, { cause: parsed.error });
      return parsed.data as CallOutput<Name>;
    },
  };
}

function answerOf({ download }: Operation, { octets, text }: ApiResponse): unknown {
  if (download === 'octets') return octets;
  return text === '' ? {} : JSON.parse(text);
}

function toRequest(operation: Operation, input: LooseInput): ApiRequest {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(String(input[part])));
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries((input['query'] ?? {}) as Readonly<Record<string, Scalar>>)) {
    if (value !== undefined) query.set(key, String(value));
  }
  const suffix = query.size === 0 ? '' : `?${query.toString()}`;
  return {
    method: operation.method,
    path: path + suffix,
    ...(operation.body === undefined ? {} : { body: JSON.stringify(input['body']), contentType: 'application/json' }),
    ...(operation.upload === undefined
      ? {}
      : { body: input['octets'] as Uint8Array, contentType: 'application/octet-stream' }),
    ...(input['signal'] === undefined ? {} : { signal: input['signal'] as AbortSignal }),
  };
}

function toProblem(response: ApiResponse): Problem {
  try {
    return Problem.parse(JSON.parse(response.text));
  } catch {
    return {
      type: 'about:blank',
      title: 'the server answered without a problem document',
      status: response.status,
      code: 'kernel.internal',
    };
  }
}
