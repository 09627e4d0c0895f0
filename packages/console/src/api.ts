import type { CallOutput, OperationName, Operations, Problem } from '@holdfast/api';

/** What the server refused, by its stable code. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, words: string) {
    super(words);
    this.status = status;
    this.code = code;
  }
}

/**
 * One call of the management API. Types come from the API's own table; its schemas stay out of the page, so the answer
 * is taken as the server stated it.
 *
 * @throws Refusal for an answer that is not 2xx, and when no answer came.
 */
async function call<Name extends OperationName>(
  _name: Name,
  method: Operations[Name]['method'],
  path: string,
  body?: unknown,
): Promise<CallOutput<Name>> {
  const init: RequestInit = { method, credentials: 'same-origin' };
  if (body !== undefined) {
    init.headers = { 'content-type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  const response = await fetch(path, init).catch(() => undefined);
  if (response === undefined) throw new Refusal(0, 'server.unreachable', 'the server does not answer');
  const text = await response.text();
  const answer = text === '' ? {} : (JSON.parse(text) as unknown);
  if (response.ok) return answer as CallOutput<Name>;
  const problem = answer as Problem;
  throw new Refusal(response.status, problem.code, problem.title);
}

export const api = {
  openSession: (token: string) => call('session.open', 'POST', '/api/v1/session', { token }),
  status: () => call('status.show', 'GET', '/api/v1/status'),
  devices: (after?: string) => call('devices.list', 'GET', `/api/v1/devices?limit=200${position(after)}`),
  device: (id: string) => call('devices.show', 'GET', `/api/v1/devices/${encodeURIComponent(id)}`),
  timeline: (id: string) =>
    call('devices.timeline', 'GET', `/api/v1/devices/${encodeURIComponent(id)}/timeline?limit=50`),
  executions: (id: string) =>
    call('devices.executions', 'GET', `/api/v1/devices/${encodeURIComponent(id)}/executions?limit=20`),
  rollouts: () => call('rollouts.list', 'GET', '/api/v1/rollouts?limit=50'),
  rollout: (id: string) => call('rollouts.show', 'GET', `/api/v1/rollouts/${encodeURIComponent(id)}`),
  audit: (after?: string) => call('audit.list', 'GET', `/api/v1/audit?limit=100${position(after)}`),
  verifyAudit: () => call('audit.verify', 'POST', '/api/v1/audit/verify', {}),
};

function position(after: string | undefined): string {
  return after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
}
