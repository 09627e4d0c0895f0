import { OPERATIONS, type Operation, type OperationName } from '@holdfast/api';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ManagementContext, ManagementHandlers, ManagementOperation } from './handler-types.ts';

type LooseHandler = (input: object, context: ManagementContext) => Promise<unknown>;

/** Turns a request into who asks. @throws `request.unauthenticated`, `request.forbidden` */
export type Authenticate = (
  request: FastifyRequest,
  operation: Operation,
) => ManagementContext | Promise<ManagementContext>;

/** What stands before every operation. */
export interface Doorkeeper {
  readonly handlers: ManagementHandlers;
  readonly authenticate: Authenticate;
  /** @throws `request.forbidden` */
  readonly admit: (name: OperationName, context: ManagementContext) => void;
}

const MAX_UPLOAD_BYTES = 1024 * 1024 * 1024;
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** Adds one route for each row of the API's table. */
export function addManagementRoutes(app: FastifyInstance, doorkeeper: Doorkeeper): void {
  const { handlers } = doorkeeper;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: MAX_JSON_BYTES }, (_, body, done) => {
    try {
      done(null, body.length === 0 ? {} : parseStrictJson(body));
    } catch (error) {
      done(error as Error);
    }
  });
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  for (const name of Object.keys(handlers) as ManagementOperation[]) {
    addRoute(app, name, doorkeeper);
  }
}

function addRoute(app: FastifyInstance, name: ManagementOperation, doorkeeper: Doorkeeper): void {
  const { admit, authenticate, handlers } = doorkeeper;
  const handler = handlers[name] as unknown as LooseHandler;
  const operation: Operation = OPERATIONS[name];
  const contexts = new WeakMap<FastifyRequest, ManagementContext>();
  app.route({
    method: operation.method,
    url: operation.path.replace(/\{(\w+)\}/g, ':$1'),
    bodyLimit: operation.upload === undefined ? MAX_JSON_BYTES : MAX_UPLOAD_BYTES,
    // Before the body is read: a stranger's bytes are not parsed.
    onRequest: async (request: FastifyRequest) => {
      const context = await authenticate(request, operation);
      admit(name, context);
      contexts.set(request, context);
      if (operation.upload !== undefined) refuseOversize(request);
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const context = contexts.get(request);
      if (context === undefined) throw new HoldfastError('request.unauthenticated');
      const output = await handler(toInput(operation, request), context);
      if (operation.download !== undefined) reply.type('application/octet-stream');
      return reply.header('cache-control', 'no-store').send(output);
    },
  });
}

function refuseOversize(request: FastifyRequest): void {
  if (declaredLength(request) > MAX_UPLOAD_BYTES) {
    throw new HoldfastError('request.too_large', { limit: MAX_UPLOAD_BYTES });
  }
}

function declaredLength(request: FastifyRequest): number {
  return Number(request.headers['content-length'] ?? 0);
}

function toInput(operation: Operation, request: FastifyRequest): object {
  return {
    ...(request.params as object),
    ...(operation.query === undefined ? {} : { query: parse(operation.query, request.query, 'query') }),
    ...(operation.body === undefined ? {} : { body: parse(operation.body, request.body, 'body') }),
    ...(operation.upload === undefined ? {} : { octets: uploadOf(request) }),
  };
}

function parse(schema: z.ZodType, value: unknown, part: string): unknown {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new HoldfastError('request.invalid', { part, field: issue?.path.join('.'), reason: issue?.message });
}

/** The raw body, counted: a longer one than the limit ends in an error, whatever its headers said. */
async function* uploadOf(request: FastifyRequest): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
    received += chunk.length;
    if (received > MAX_UPLOAD_BYTES) throw new HoldfastError('request.too_large', { limit: MAX_UPLOAD_BYTES });
    yield chunk;
  }
  if (request.headers['content-length'] !== undefined && received !== declaredLength(request)) {
    throw new HoldfastError('wire.truncated', { field: 'body', needed: declaredLength(request), received });
  }
}
