import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLog, systemClock } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveNats } from '../../../packages/server/src/engines/bus/index.ts';
import { NatsBus } from '../../../packages/server/src/engines/bus/nats-bus.ts';
import { TestAuthority } from '../../../packages/server/src/testing/test-authority.ts';
import { NatsServer } from '../world/nats-server.ts';

const PASSWORD = 'of the test alone';

const authority = new TestAuthority('bus authority');
const stranger = new TestAuthority('somebody else');
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bus-'));
const file = (name: string, text: string): string => {
  const made = path.join(folder, name);
  writeFileSync(made, text);
  return made;
};
const own = file('own.pem', authority.root.pem);
const other = file('other.pem', stranger.root.pem);

let tls: NatsServer;
let clear: NatsServer;
let misnamed: NatsServer;
beforeAll(async () => {
  const { keyPem, pem } = authority.issue({ profile: 'server', name: 'localhost' });
  const named = authority.issue({ profile: 'device-ldevid', name: 'localhost' });
  const secret = ['--user', 'node', '--pass', PASSWORD];
  const files = ['--tls', '--tlscert', file('cert.pem', pem), '--tlskey', file('key.pem', keyPem)];
  const others = ['--tls', '--tlscert', file('o.pem', named.pem), '--tlskey', file('o.key', named.keyPem)];
  [tls, clear, misnamed] = await Promise.all([
    NatsServer.start([...files, ...secret]),
    NatsServer.start(secret),
    NatsServer.start([...others, ...secret]),
  ]);
});
afterAll(async () => {
  await Promise.all([tls.stop(), clear.stop(), misnamed.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function isUp(bus: string, ca?: string, login = `node:${PASSWORD}`): Promise<boolean> {
  const address = resolveNats({ bus, ca, credentials: 'env:LOGIN', plaintext: false, environment: { LOGIN: login } });
  const opened = await NatsBus.open({ address, name: 'test', clock: systemClock, log: silentLog });
  const { up } = opened.state;
  await opened.close();
  return up;
}

describe('the way to the bus', () => {
  it('is open to the right login, in clear on this machine and over TLS', async () => {
    expect(await isUp(`nats://127.0.0.1:${clear.port}`)).toBe(true);
    expect(await isUp(`tls://localhost:${tls.port}`, own)).toBe(true);
  });

  it.each([
    ['a wrong password', () => isUp(`tls://localhost:${tls.port}`, own, 'node:guess')],
    ['a certificate of another authority', () => isUp(`tls://localhost:${tls.port}`, other)],
    ["a device's certificate of the same authority", () => isUp(`tls://localhost:${misnamed.port}`, own)],
    ['a server without TLS where TLS is asked for', () => isUp(`tls://localhost:${clear.port}`, own)],
  ])('is shut to %s', async (_name, attempt) => {
    expect(await attempt()).toBe(false);
  });

  it('comes back by itself, says so, and drops what is said meanwhile', async () => {
    const server = await NatsServer.start();
    const address = resolveNats({
      bus: server.url,
      ca: undefined,
      credentials: undefined,
      plaintext: false,
      environment: {},
    });
    const open = (name: string) => NatsBus.open({ address, name, clock: systemClock, log: silentLog });
    const [a, b] = [await open('a'), await open('b')];
    const [heard, changes]: [string[], boolean[]] = [[], []];
    b.subscribe('s', (bytes) => heard.push(Buffer.from(bytes).toString()));
    b.respond('q', async (bytes) => bytes.toReversed());
    a.onChange((up) => changes.push(up));
    await expect
      .poll(() => {
        a.publish('s', Buffer.from('x'));
        return heard.length;
      })
      .toBeGreaterThan(0);
    expect([...((await a.request('q', new Uint8Array([1, 2]), 1_000)) ?? [])]).toEqual([2, 1]);
    expect(await a.request('nobody', new Uint8Array(1), 1_000)).toBeUndefined();
    await server.stop();
    await expect.poll(() => a.state.up).toBe(false);
    a.publish('s', Buffer.from('lost'));
    expect(a.state.dropped).toBe(1);
    await server.start();
    await expect.poll(() => [a.state.up, b.state.up]).toEqual([true, true]);
    a.publish('s', Buffer.from('again'));
    await expect.poll(() => heard.at(-1)).toBe('again');
    expect([heard.includes('lost'), changes]).toEqual([false, [false, true]]);
    await Promise.all([a.close(), b.close()]);
    await server.stop();
  });
});
