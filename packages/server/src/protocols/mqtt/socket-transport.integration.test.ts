import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { silentLog, systemClock, systemRandom } from '@holdfast/kernel';
import { encodeConnect } from '@holdfast/wire/mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MqttBroker } from './broker.ts';
import { MemoryStore } from './memory-store.ts';
import { MQTT_PROFILE } from './profiles.ts';
import { eventLoopTurn, SocketTransport } from './socket-transport.ts';
import { connectPacket, TestPrincipal } from './testing/test-core.ts';

describe('the core on sockets', () => {
  let broker: MqttBroker;
  let server: Server;
  let port = 0;

  beforeEach(async () => {
    broker = new MqttBroker({
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      turn: eventLoopTurn,
      store: new MemoryStore(),
      authenticator: {
        admit: ({ clientId }) => Promise.resolve({ kind: 'admitted', principal: new TestPrincipal(clientId) }),
      },
      profile: MQTT_PROFILE,
      limits: { maxPacketBytes: 10_000, lingerMs: 300, connectDeadlineMs: 500 },
    });
    await broker.start();
    server = createServer((socket) => {
      const peer = { address: `${socket.remoteAddress}`, identity: undefined };
      broker.accept(new SocketTransport(socket, { peer, clock: systemClock, lingerMs: 300 }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  afterEach(async () => {
    await broker.close();
    server.close();
  });

  async function open(allowHalfOpen = false): Promise<Socket> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  function gather(socket: Socket): () => Buffer {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks);
  }

  it('lets its last words arrive although the client is still sending', async () => {
    const socket = await open();
    const received = gather(socket);
    socket.write(encodeConnect(connectPacket('big')));
    await once(socket, 'data');
    socket.write(Buffer.concat([Buffer.from([0x30, 0x80, 0x80, 0x40]), Buffer.alloc(400_000)]));
    await once(socket, 'close');
    expect([...received().subarray(-3)]).toEqual([0xe0, 0x01, 0x95]);
  });

  it('does not wait for ever for a client that keeps its half open', async () => {
    const socket = await open(true);
    socket.resume();
    socket.write(Buffer.from([0xc0, 0]));
    await once(socket, 'end');
    while (server.listening && (await connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await connections()).toBe(0);
    socket.destroy();
  });

  it('closes a client that drips a byte at a time into its CONNECT', async () => {
    const socket = await open();
    socket.resume();
    const packet = encodeConnect(connectPacket('slow'));
    let at = 0;
    const drip = setInterval(() => socket.write(packet.subarray(at, ++at)), 100);
    await once(socket, 'close');
    clearInterval(drip);
    expect(broker.describeConnections()).toEqual([]);
  });

  it('notices a client that vanishes', async () => {
    const socket = await open();
    socket.write(encodeConnect(connectPacket('gone')));
    await once(socket, 'data');
    expect(broker.describeConnections()).toHaveLength(1);
    socket.resetAndDestroy();
    while (broker.describeConnections().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  function connections(): Promise<number> {
    return new Promise((resolve) => {
      server.getConnections((_error, count) => resolve(count));
    });
  }
});
