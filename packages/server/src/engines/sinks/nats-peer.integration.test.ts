import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { systemClock } from '@holdfast/kernel';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NatsPeer } from './nats-peer.ts';
import type { OutgoingMessage } from './sink-peer.ts';
import { SinkSettings } from './sink-settings.ts';

/** Says that it has no TLS, as whoever stands between would, and keeps what it is told. */
let listener: Server;
let heard: string;
beforeEach(async () => {
  heard = '';
  listener = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('INFO {"server_id":"x","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}\r\n');
    socket.on('data', (bytes) => {
      heard += String(bytes);
      if (heard.includes('PING')) socket.write('PONG\r\n');
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
afterEach(() => listener.close());

const MESSAGE: OutgoingMessage = { id: 'a-0', offset: 0, topic: 't', deviceId: 'lamp', qos: 1, at: 0, json: '{}' };

it.each(['tls://', 'TLS://'])('tells nothing to a server named %s that has no TLS after all', async (scheme) => {
  const peer = new NatsPeer({
    servers: [`${scheme}127.0.0.1:${(listener.address() as AddressInfo).port}`],
    prefix: 'p',
    token: 'secret-token',
    user: undefined,
    password: undefined,
    credentials: undefined,
    caPem: undefined,
    jetStream: 'auto',
    clock: systemClock,
  });
  expect(await peer.send([MESSAGE])).toMatchObject({ kind: 'later' });
  await peer.close();
  expect(heard).toBe('');
});

const sink = (change: object) =>
  SinkSettings.safeParse([{ kind: 'nats', name: 'n', filters: ['#'], ...change }]).success;

it.each([
  ['a name in clear', { servers: ['nats.example.com:4222'] }],
  ['one of several in clear', { servers: ['127.0.0.1:4222', 'nats://10.0.0.7'] }],
  ['a name that only looks local', { servers: ['127.0.0.1.example.com'] }],
  ['a password in the address', { servers: ['tls://user:password@nats.example.com'] }],
  ['another protocol', { servers: ['ws://127.0.0.1'] }],
  ['no address', { servers: ['tls://'] }],
  ['TLS with whoever has the address', { servers: ['tls://10.0.0.7:4222'] }],
  ['TLS by its authorities with whoever has the address', { servers: ['[2001:db8::7]'], caFile: '/ca.pem' }],
])('lets nothing leave this machine by %s', (_name, change) => {
  expect(sink(change)).toBe(false);
});

it.each([
  ['TLS', { servers: ['tls://nats.example.com:4222'] }],
  ['TLS by its authorities', { servers: ['nats.example.com'], caFile: '/ca.pem' }],
  ['the loopback', { servers: ['localhost:4222', 'nats://127.0.0.1', '[::1]:4222'] }],
  ['clear text that was asked for', { servers: ['10.0.0.7:4222'], plaintext: true }],
])('goes by %s', (_name, change) => {
  expect(sink(change)).toBe(true);
});
