import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type Clock, type ErrorCode, HoldfastError, type Log, toHoldfastError } from '@holdfast/kernel';
import type { Rights } from '@holdfast/trust/communication';
import type { ClaimPrincipal, DevicePrincipal } from '@holdfast/trust/principal';
import type { DeviceRequest, DeviceResponse, DeviceRoute } from './device-route.ts';
import { problem, problemOf } from './problem.ts';
import { readBody } from './read-body.ts';
import type { RouteTable } from './route-table.ts';
import { sendResponse } from './send-response.ts';

/** Who sent a request and how long that holds. */
export type Caller =
  | {
      readonly kind: 'known';
      readonly principal: DevicePrincipal | ClaimPrincipal;
      /** As of this request. */
      readonly rights: Rights;
      readonly signal: AbortSignal;
      /** Judges the peer anew. */
      readonly recheck: () => Promise<boolean>;
    }
  | { readonly kind: 'anyone' }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

export interface RequestHandlerPorts {
  readonly routes: RouteTable;
  readonly callerOf: (request: IncomingMessage) => Promise<Caller>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Answers one request: who asks, which row, may they, whole body, then the row's own work. Never rejects. */
export async function handleRequest(
  ports: RequestHandlerPorts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  // Tell the reader before the client pipelines another request behind an unread body.
  const refuse = (answer: DeviceResponse) =>
    send(ports, response, { ...answer, headers: { ...answer.headers, connection: 'close' } });
  try {
    const caller = await ports.callerOf(request);
    if (caller.kind === 'refused') return await refuse(problem(caller.code));
    const target = hasOneHost(request) ? ports.routes.parse(request.url ?? '') : undefined;
    if (target === undefined) return await refuse(problem('communication.bad_target'));
    const match = ports.routes.find(request.method ?? '', target.segments);
    if (match.kind === 'none') return await refuse(problem('communication.no_such_door'));
    if (match.kind === 'method')
      return await refuse(problem('communication.no_such_verb', { allow: match.allow.join(', ') }));
    const { route } = match;
    if (!admits(route, caller)) return await refuse(wordOf(route, 'communication.not_allowed'));
    const body = await readBody(request, route.maxBodyBytes, ports.clock);
    if (body.kind === 'too-large') return await refuse(wordOf(route, 'communication.body_too_large'));
    if (body.kind !== 'body') {
      request.destroy();
      return;
    }
    const signal = caller.kind === 'known' ? AbortSignal.any([caller.signal, gone.signal]) : gone.signal;
    const answer = await answerOf(ports, route, {
      ...(caller.kind === 'known' ? { principal: caller.principal, rights: caller.rights } : { principal: undefined }),
      method: route.method,
      path: `/${target.segments.join('/')}`,
      params: match.params,
      query: target.query,
      headers: headersOf(request),
      body: body.bytes,
      remoteAddress: request.socket.remoteAddress ?? '',
      signal,
      channelBinding: () => channelBinding(request),
    });
    const mayGoOn = caller.kind === 'known' ? caller.recheck : () => Promise.resolve(true);
    if (caller.kind === 'known' && caller.signal.aborted) response.destroy();
    else await sendResponse(response, answer, { clock: ports.clock, signal, mayGoOn });
  } catch (error) {
    ports.log.error('a request failed', { code: toHoldfastError(error).code });
    response.destroy();
  }
}

function wordOf(route: DeviceRoute, code: ErrorCode): DeviceResponse {
  return route.wordError?.(new HoldfastError(code)) ?? problem(code);
}

/** RFC 9112 section 3.2; Node keeps the first of two, what stands in front of us perhaps the last. */
function hasOneHost({ headersDistinct }: IncomingMessage): boolean {
  return (headersDistinct['host']?.length ?? 0) <= 1;
}

function admits(route: DeviceRoute, caller: Exclude<Caller, { kind: 'refused' }>): boolean {
  if (caller.kind === 'anyone') return route.audience.includes('anyone');
  if (caller.rights.level !== 'full' && route.whileRestricted === 'refused') return false;
  return route.audience.includes(caller.principal.kind);
}

async function answerOf(
  ports: RequestHandlerPorts,
  route: DeviceRoute,
  request: DeviceRequest,
): Promise<DeviceResponse> {
  try {
    return await route.handle(request);
  } catch (error) {
    const { code, spec } = toHoldfastError(error);
    if (spec.http >= 500) ports.log.error('a route failed', { route: route.path, code });
    return route.wordError?.(error) ?? problemOf(error);
  }
}

function send(ports: RequestHandlerPorts, response: ServerResponse, answer: DeviceResponse): Promise<void> {
  const signal = new AbortController().signal;
  return sendResponse(response, answer, { clock: ports.clock, signal, mayGoOn: () => Promise.resolve(true) });
}

function headersOf(request: IncomingMessage): Readonly<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** RFC 9266 for TLS 1.3; for 1.2 the first Finished message, whose sender depends on the handshake (RFC 5929 3.1). */
function channelBinding(request: IncomingMessage): ReturnType<DeviceRequest['channelBinding']> {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  if (socket.getProtocol() === 'TLSv1.3') {
    return {
      kind: 'tls-exporter',
      bytes: socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)),
    };
  }
  const finished = socket.isSessionReused() ? socket.getFinished() : socket.getPeerFinished();
  return finished === undefined ? undefined : { kind: 'tls-unique', bytes: finished };
}
