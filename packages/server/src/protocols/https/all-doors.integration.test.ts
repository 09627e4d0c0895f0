import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claim, closing, GET, lamp, ListenerWorld, ROUTES } from './testing/listener-world.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'] as const;
const CALLERS = { device: lamp, claim } as const;
const MOMENTS = ['full 1.3', 'resumed 1.3', 'full 1.2', 'resumed 1.2'] as const;
const STREAMS = '/endless';

let world: ListenerWorld;
beforeAll(async () => {
  world = new ListenerWorld();
  await world.start();
});
afterAll(() => world.close());

async function ticketOf(caller: keyof typeof CALLERS, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  const socket = connect(world.credentials(CALLERS[caller], { maxVersion }));
  const ticket = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  socket.on('error', () => undefined);
  socket.write(GET);
  const session = await ticket;
  socket.destroy();
  await closing(socket);
  return session;
}

/** What the route table says of a door, and nothing else may. */
function expected(path: string, method: string, caller: keyof typeof CALLERS, isRestricted: boolean): number {
  const route = ROUTES.find((each) => each.path === path && each.method === method);
  if (route === undefined) return 405;
  if (isRestricted && route.whileRestricted === 'refused') return 403;
  return route.audience.includes(caller) ? 200 : 403;
}

describe.each(MOMENTS)('every door of device HTTPS, %s', (moment) => {
  const maxVersion = moment.endsWith('1.3') ? 'TLSv1.3' : 'TLSv1.2';
  const paths = [...new Set(ROUTES.map(({ path }) => path))].filter((path) => path !== STREAMS);

  for (const caller of ['device', 'claim'] as const) {
    it.each(['full', 'restricted'] as const)(`is what its row says for a ${caller} with %s rights`, async (level) => {
      world.level = level;
      const session = moment.startsWith('full') ? undefined : await ticketOf(caller, maxVersion);
      for (const path of paths) {
        for (const method of METHODS) {
          const options = { maxVersion, ...(session === undefined ? {} : { session }) } as const;
          const target = path.replace(/\{\w+\}/g, 'x');
          const { status } = await world.ask(method, target, world.credentials(CALLERS[caller], options));
          expect([method, path, status]).toEqual([
            method,
            path,
            expected(path, method, caller, level === 'restricted'),
          ]);
        }
      }
    });
  }

  it.each(['device', 'claim'] as const)('is shut to a %s without rights', async (caller) => {
    world.level = 'none';
    for (const path of paths) {
      for (const method of METHODS) {
        const options = world.credentials(CALLERS[caller], { maxVersion });
        expect((await world.ask(method, path.replace(/\{\w+\}/g, 'x'), options)).status).toBe(403);
      }
    }
  });
});
