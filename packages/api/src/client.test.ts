import { describe, expect, it } from 'vitest';
import { ApiProblem, type ApiRequest, CreateClaim, CreateRollout, createClient, OPERATIONS } from './index.ts';

function clientAnswering(status: number, text: string) {
  const seen: ApiRequest[] = [];
  const client = createClient(async (request) => {
    seen.push(request);
    return { status, text };
  });
  return { client, seen };
}

describe('the typed client', () => {
  it('fills path and query, and encodes what could change the path', async () => {
    const { client, seen } = clientAnswering(200, '{"rows":[]}');
    await client.call('devices.timeline', { device: 'a/../b', query: { limit: 5 } });
    expect(seen[0]).toEqual({ method: 'GET', path: '/api/v1/devices/a%2F..%2Fb/timeline?limit=5' });
  });

  it('turns a problem into an error that carries its code', async () => {
    const problem = { type: 'about:blank', title: 'no', status: 404, code: 'request.not_found' };
    const { client } = clientAnswering(404, JSON.stringify(problem));
    const failure = await client.call('claims.show', { claim: 'x' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiProblem);
    expect((failure as ApiProblem).problem.code).toBe('request.not_found');
  });

  it('gives raw bytes as they came, and refuses an answer without them', async () => {
    const octets = Uint8Array.of(0xff, 0, 1);
    const raw = createClient(async () => ({ status: 200, text: '', octets }));
    expect(await raw.call('releases.image', { release: 'r' })).toEqual(octets);
    const { client } = clientAnswering(200, '{}');
    await expect(client.call('releases.image', { release: 'r' })).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('refuses an answer that has not the stated form', async () => {
    const { client } = clientAnswering(200, '{"rows":[{"id":7}]}');
    await expect(client.call('claims.list', {})).rejects.toMatchObject({ code: 'request.invalid' });
  });
});

describe('the operations', () => {
  it('name every method and path once', () => {
    const doors = Object.values(OPERATIONS).map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`);
    expect(new Set(doors).size).toBe(doors.length);
  });

  it('keep a claim from being unlimited and a rollout from having no target', () => {
    expect(CreateClaim.safeParse({ product: 'lamp' }).success).toBe(false);
    expect(CreateClaim.safeParse({ product: 'lamp', quota: 3, serials: ['a'] }).success).toBe(false);
    expect(CreateClaim.safeParse({ product: 'lamp', quota: 3 }).success).toBe(true);
    expect(CreateRollout.safeParse({ releaseId: 'r' }).success).toBe(false);
  });
});
