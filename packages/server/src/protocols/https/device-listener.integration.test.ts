import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { ManualClock } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim, closing, GET, lamp, ListenerWorld, probe } from './testing/listener-world.ts';

let world: ListenerWorld;
beforeEach(async () => {
  world = new ListenerWorld();
  await world.start();
});
afterEach(() => world.close());

describe('the device listener', () => {
  it('serves a device with its certificate over TLS 1.3 and 1.2', async () => {
    expect(await world.ask('GET', '/hello/there')).toMatchObject({ status: 200, body: 'device there tls-exporter' });
    const old = world.credentials(lamp, { maxVersion: 'TLSv1.2' });
    expect(await world.ask('GET', '/hello/there', old)).toMatchObject({ status: 200, body: 'device there tls-unique' });
  });

  it('tells a device that connects too often to wait, and serves the others', async () => {
    const busy = new ListenerWorld({}, { burst: 3, perSecond: 0, remembered: 10 });
    await busy.start();
    try {
      for (let at = 0; at < 3; at++) expect((await busy.ask('GET', '/hello/x')).status).toBe(200);
      expect(await busy.ask('GET', '/hello/x')).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
      expect((await busy.ask('GET', '/claim-only', busy.credentials(claim))).status).toBe(200);
    } finally {
      await busy.close();
    }
  });

  it('shows a device as present while it is connected', async () => {
    const socket = connect(world.credentials(lamp));
    socket.write(GET);
    await once(socket, 'data');
    expect(world.presence.of('default', 'lamp-1')).toMatchObject([{ protocol: 'https', remoteAddress: '127.0.0.1' }]);
    socket.destroy();
    await expect.poll(() => world.presence.of('default', 'lamp-1')).toEqual([]);
  });

  it.each([
    ['GET', '/nowhere', 404],
    ['GET', '/hello', 404],
    ['DELETE', '/hello/x', 405],
    ['HEAD', '/hello/x', 405],
    ['GET', '/claim-only', 403],
    ['GET', '/hello/%2e%2e', 400],
    ['GET', '/hello/a%2fb', 400],
    ['GET', '/hello/a%00b', 400],
    ['GET', '//hello/x', 400],
    ['GET', '/hello/x/../x', 400],
    ['GET', '/hello/%zz', 400],
    ['GET', '/hello/a%5Cb', 400],
  ])('answers %s %s with %i', async (method, path, status) => {
    expect((await world.ask(method, path)).status).toBe(status);
  });

  it('words a refusal as a problem and lists the methods of a path', async () => {
    const answer = await world.ask('DELETE', '/hello/x');
    expect(answer.headers).toMatchObject({ allow: 'GET', 'content-type': 'application/problem+json' });
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'communication.no_such_verb', status: 405 });
  });

  it('refuses a body that is longer than its row takes, declared or not', async () => {
    const long = Buffer.alloc(1_001);
    expect((await world.ask('POST', '/echo', { ...world.credentials(lamp), body: long })).status).toBe(413);
    const chunked = { ...world.credentials(lamp), body: long, headers: { 'transfer-encoding': 'chunked' } };
    expect((await world.ask('POST', '/echo', chunked)).status).toBe(413);
    expect((await world.ask('POST', '/echo', { ...world.credentials(lamp), body: Buffer.alloc(1_000) })).status).toBe(
      200,
    );
  });

  it('refuses what two parsers could read differently', async () => {
    const smuggled =
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    expect((await probe(world.credentials(lamp), smuggled)).said).toMatch(/^HTTP\/1\.1 400/);
    const header = `GET /hello/x HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`;
    expect((await probe(world.credentials(lamp), header)).said).not.toContain('200');
  });

  it('keeps from a restricted device what its row says, and everything from one without rights', async () => {
    world.level = 'restricted';
    expect((await world.ask('GET', '/hello/x')).status).toBe(200);
    expect((await world.ask('POST', '/echo')).status).toBe(403);
    world.level = 'none';
    expect((await world.ask('GET', '/hello/x')).status).toBe(403);
  });

  it('ends a download in the middle when its device is cut', async () => {
    const request = httpsRequest({ ...world.credentials(lamp), path: '/endless', agent: false } as object);
    request.end();
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    let received = 0;
    const ended = new Promise<string>((resolve) => {
      response.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received > 1_000_000 && world.sessions.size > 0) {
          world.sessions.cut({ kind: 'device', tenant: 'default', deviceId: 'lamp-1' }, 'device-revoked');
        }
      });
      response.once('error', () => resolve('reset'));
      response.once('end', () => resolve('end'));
    });
    expect(await ended).toBe('reset');
    expect(world.sessions.size).toBe(0);
  });

  it('ends a download in the middle when the committed status changes without an event', async () => {
    const request = httpsRequest({ ...world.credentials(lamp), path: '/endless', agent: false } as object);
    request.end();
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    const ended = new Promise<string>((resolve) => {
      response.once('data', () => world.registry.refuse(lamp, 'identity.device_revoked'));
      response.on('data', () => undefined);
      response.once('error', () => resolve('reset'));
      response.once('end', () => resolve('end'));
    });
    expect(await ended).toBe('reset');
  });

  it('asks for the status at every request of a connection', async () => {
    const socket = connect(world.credentials(lamp));
    socket.write(GET);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200/);
    world.registry.refuse(lamp, 'identity.certificate_revoked');
    const closed = closing(socket);
    socket.on('error', () => undefined);
    socket.write(GET);
    await closed;
    expect(world.sessions.size).toBe(0);
  });

  it('reads rights again after a minute on one connection, though nobody said that they changed', async () => {
    const clock = new ManualClock();
    const aging = new ListenerWorld({}, undefined, clock);
    await aging.start();
    const socket = connect(aging.credentials(lamp));
    const ask = async () => {
      socket.write(GET);
      return String((await once(socket, 'data'))[0]).slice(0, 12);
    };
    try {
      expect(await ask()).toBe('HTTP/1.1 200');
      aging.level = 'none';
      expect(await ask()).toBe('HTTP/1.1 200');
      clock.advance(60_000);
      expect(await ask()).toBe('HTTP/1.1 403');
    } finally {
      socket.destroy();
      await aging.close();
    }
  });

  it('does not act on rights that changed while they were read', async () => {
    const old = await world.readRights();
    const later = world.readRights;
    const { promise, resolve } = Promise.withResolvers<typeof old>();
    const started = Promise.withResolvers<void>();
    world.readRights = () => {
      started.resolve();
      return promise;
    };
    const answer = world.ask('GET', '/hello/x');
    await started.promise;
    world.level = 'none';
    world.readRights = later;
    for (const session of world.sessions.live()) session.refresh?.();
    resolve(old);
    expect((await answer).status).toBe(403);
  });
});
