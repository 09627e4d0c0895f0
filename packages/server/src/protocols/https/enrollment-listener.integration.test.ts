import { once } from 'node:events';
import { connect } from 'node:tls';
import { silentLog, systemClock } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceRoute } from './device-route.ts';
import { EnrollmentListener } from './open-listener.ts';
import { closing, GET, lamp, ListenerWorld, ours, SECRET, server } from './testing/listener-world.ts';

const route: DeviceRoute = {
  method: 'GET',
  path: '/hello/{name}',
  audience: ['anyone', 'device'],
  maxBodyBytes: 0,
  handle: ({ principal }) => Promise.resolve({ status: 200, body: principal === undefined ? 'nobody' : 'somebody' }),
};
const options = {
  host: '127.0.0.1',
  port: 0,
  material: { keyPem: server.keyPem, chainPem: server.pem },
  ticketSecret: SECRET,
  ticketEpoch: 0,
  clock: systemClock,
  log: silentLog,
};

let listener: EnrollmentListener;
let port: number;
beforeEach(async () => {
  listener = new EnrollmentListener({ ...options, routes: [route] });
  port = await listener.listen();
});
afterEach(() => listener.close());

async function say(request: string, tls: object = {}): Promise<{ said: string; reused: boolean }> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: ours.root.pem, ...tls });
  socket.on('error', () => undefined);
  socket.write(request);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  const reused = socket.isSessionReused();
  socket.destroy();
  return { said: chunk.toString(), reused };
}

describe('the enrollment listener', () => {
  it('asks for no certificate and knows nobody, whatever certificate it is shown', async () => {
    expect((await say(GET)).said).toMatch(/^HTTP\/1\.1 200.*nobody$/s);
    expect((await say(GET, { key: lamp.keyPem, cert: lamp.pem })).said).toMatch(/^HTTP\/1\.1 200.*nobody$/s);
  });

  it('serves nothing but its rows', async () => {
    expect((await say(GET.replace('/hello/x', '/'))).said).toMatch(/^HTTP\/1\.1 400/);
    expect((await say(GET.replace('/hello/x', '/other'))).said).toMatch(/^HTTP\/1\.1 404/);
    expect((await say(GET.replace('GET', 'DELETE'))).said).toMatch(/^HTTP\/1\.1 405/);
  });

  it('takes no row that is not for anyone', () => {
    expect(() => new EnrollmentListener({ ...options, routes: [{ ...route, audience: ['claim'] }] })).toThrow();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes its own %s tickets and opens no other door with them (V20)',
    async (maxVersion) => {
      const world = new ListenerWorld();
      await world.start();
      const ticketAt = async (from: number): Promise<Buffer> => {
        const socket = connect(world.credentials(lamp, { port: from, maxVersion }));
        const ticket = new Promise<Buffer>((resolve) => socket.once('session', resolve));
        socket.on('error', () => undefined);
        socket.write(GET);
        const session = await ticket;
        socket.destroy();
        await closing(socket);
        return session;
      };
      const [own, foreign] = [await ticketAt(port), await ticketAt(world.port)];
      expect(await say(GET, { maxVersion, session: own })).toMatchObject({ reused: true });
      expect(await say(GET, { maxVersion, session: foreign })).toMatchObject({ reused: false });
      const socket = connect(world.credentials(undefined, { maxVersion, session: own }));
      socket.on('error', () => undefined);
      let said = '';
      socket.on('data', (chunk) => {
        said += chunk.toString();
      });
      socket.write(GET);
      await closing(socket);
      expect(said).toBe('');
      await world.close();
    },
  );
});
