import { connect, type ConnectionOptions } from 'node:tls';
import { encodeConnect, NO_PROPERTIES } from '@holdfast/wire/mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim, LAMP, lamp } from '../gateway/testing/mqtt-world.ts';
import { DoorsWorld } from '../../testing/doors-world.ts';
import type { DeviceRoute } from './device-route.ts';
import { closing, probe } from './testing/listener-world.ts';

const ROUTES: readonly DeviceRoute[] = [
  {
    method: 'GET',
    path: '/hello',
    audience: ['device'],
    maxBodyBytes: 0,
    handle: ({ channelBinding }) => Promise.resolve({ status: 200, body: channelBinding()?.kind ?? '' }),
  },
];
const GET = 'GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n';
const CONNECT = Buffer.from(
  encodeConnect({
    version: 5,
    clean: true,
    keepAlive: 60,
    clientId: 'lamp-1',
    will: undefined,
    userName: undefined,
    password: undefined,
    properties: NO_PROPERTIES,
  }),
);
const CONNACK = /^\u0020/;
const OK = /^HTTP\/1\.1 200/;
const FORBIDDEN = /^HTTP\/1\.1 403/;

let world: DoorsWorld;
beforeEach(async () => {
  world = new DoorsWorld(ROUTES);
  await world.start();
});
afterEach(() => world.close());

const at = (tls: ConnectionOptions = {}, issued = lamp) => world.credentials('mux', issued, tls);
const say = (message: string | Buffer, tls: ConnectionOptions = {}, issued = lamp) =>
  probe(at(tls, issued), message as string);

describe('the one port', () => {
  it.each([
    [['x-amzn-mqtt-ca'], CONNECT, CONNACK],
    [['mqtt'], CONNECT, CONNACK],
    [['http/1.1'], GET, OK],
    [['h2', 'http/1.1'], GET, OK],
    [['x-amzn-http-ca'], GET, OK],
    [undefined, CONNECT, CONNACK],
    [undefined, GET, OK],
  ] as const)('answers a client that offers %j in its own protocol', async (alpn, message, answer) => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const tls = { maxVersion, ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }) };
      expect((await say(message, tls)).said).toMatch(answer);
    }
  });

  it('holds a client to the protocol it named', async () => {
    expect((await say(GET, { ALPNProtocols: ['mqtt'] })).said).toBe('');
    expect((await say(CONNECT, { ALPNProtocols: ['http/1.1'] })).said).not.toMatch(CONNACK);
  });

  it('drops who offers only protocols that are not served', async () => {
    for (const ALPNProtocols of [['h2'], ['amqp'], ['x-amzn-custom']]) {
      expect(await say(GET, { ALPNProtocols })).toEqual({ said: '', closed: true });
    }
  });

  it.each([
    ['a packet that is not CONNECT', Buffer.from([0xc0, 0])],
    ['lower case', Buffer.from('get / HTTP/1.1\r\n\r\n')],
    ['TLS in TLS', Buffer.from([22, 3, 1, 0, 5])],
  ])('drops a client that names nothing and begins with %s', async (_, message) => {
    expect(await say(message)).toEqual({ said: '', closed: true });
  });

  it('drops a client that names nothing and says nothing', async () => {
    const socket = connect(at());
    socket.on('error', () => undefined);
    await closing(socket);
    expect(world.mqtt.sessions.size).toBe(0);
  });

  it('reads a message that comes byte by byte', async () => {
    const socket = connect(at());
    socket.on('error', () => undefined);
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
    });
    socket.setNoDelay(true);
    for (const byte of CONNECT) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => said).toMatch(CONNACK);
    socket.destroy();
  });

  it('makes a full handshake of a ticket from another port (CVE-2025-23419)', async () => {
    const first = await world.open({ name: '', listener: 'mqtt' }, lamp);
    await expect.poll(() => first.ticket).toBeDefined();
    const tls = first.ticket === undefined ? {} : { session: first.ticket };
    const client = await world.open({ name: '', listener: 'mux' }, lamp, { tls });
    expect([client.connack, client.socket.isSessionReused()]).toEqual([0, false]);
    expect((await world.open({ name: '', listener: 'mqtt' }, lamp, { tls })).socket.isSessionReused()).toBe(true);
  });

  it('serves nobody without a certificate, and nobody whose status is bad', async () => {
    const { key: _key, cert: _cert, ...bare } = at();
    for (const message of [GET, CONNECT]) {
      expect(await probe(bare, message as string)).toEqual({ said: '', closed: true });
    }
    expect((await say(GET, {}, claim)).said).toMatch(FORBIDDEN);
    world.mqtt.registry.refuse(lamp, 'identity.device_revoked');
    expect((await say(GET)).said).toMatch(FORBIDDEN);
    expect((await world.open({ name: '', listener: 'mux' }, lamp)).connack).toBe(0x87);
  });

  it('cuts both protocols of a device at once (AC05)', async () => {
    const client = await world.open({ name: '', listener: 'mux' }, lamp);
    const socket = connect(at());
    socket.on('error', () => undefined);
    socket.write(GET);
    await new Promise((resolve) => socket.once('data', resolve));
    const gone = closing(socket);
    world.mqtt.sessions.cut(LAMP, 'device-revoked');
    await Promise.all([client.closed, gone]);
    expect([client.disconnect, world.mqtt.sessions.size]).toEqual([0x98, 0]);
  });
});
