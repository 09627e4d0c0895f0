import { connect, type TLSSocket } from 'node:tls';
import { encodeConnect, encodeSubscribe, NO_PROPERTIES } from '@holdfast/wire/mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DoorsWorld, type MqttDoorRow } from '../../testing/doors-world.ts';
import { closing } from '../https/testing/listener-world.ts';
import { LAMP, lamp } from './testing/mqtt-world.ts';
import { OPCODE, WebSocketStream, type WebSocketWish } from './testing/web-socket-stream.ts';

const DOOR: MqttDoorRow = { name: '', listener: 'https', inWebSocket: true };
const TOPIC = 'devices/lamp-1/state';
/** Of the AWS profile that the world speaks: 4 packets of 149,504 bytes. */
const MAX_MESSAGE_BYTES = 598_016;

let world: DoorsWorld;
beforeEach(async () => {
  world = new DoorsWorld();
  await world.start();
});
afterEach(() => world.close());

function dial(wish: WebSocketWish = {}): { readonly stream: WebSocketStream; readonly socket: TLSSocket } {
  const socket = connect(world.credentials('https', lamp));
  socket.on('error', () => undefined);
  const stream = new WebSocketStream(socket, wish);
  stream.on('error', () => undefined);
  stream.resume();
  return { stream, socket };
}

async function statusOf(wish: WebSocketWish): Promise<number> {
  const { stream, socket } = dial(wish);
  await expect.poll(() => stream.answer).not.toBe('');
  socket.destroy();
  return stream.status;
}

const connectPacket = encodeConnect({
  version: 5,
  clean: true,
  keepAlive: 60,
  clientId: 'lamp-1',
  will: undefined,
  userName: undefined,
  password: undefined,
  properties: NO_PROPERTIES,
});
const entry = { text: TOPIC, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

describe('MQTT in WebSocket', () => {
  it.each([1, 3, 1_000])('reads packets however messages split them: %i bytes each', async (frameBytes) => {
    const client = await world.open(DOOR, lamp, { wish: { frameBytes } });
    expect([client.connack, await client.subscribe(TOPIC), await client.publishOnce(TOPIC)]).toEqual([0, 0, 0]);
    await client.until((packet) => packet.kind === 'publish');
    expect(client.delivered).toEqual([TOPIC]);
  });

  it('reads packets that one message joins, and one that a message is made of by fragments', async () => {
    const { stream } = dial();
    let answers = '';
    stream.on('data', (chunk: Buffer) => {
      answers += chunk.toString('hex');
    });
    await expect.poll(() => stream.status).toBe(101);
    const packets = Buffer.concat([connectPacket, encodeSubscribe({ packetId: 1, subscriptions: [entry] }, 5)]);
    stream.send(OPCODE.binary, packets.subarray(0, 5), { fin: false });
    stream.send(OPCODE.continuation, packets.subarray(5));
    await expect.poll(() => answers).toMatch(/^20.*9004000100/);
  });

  it('picks the subprotocol and no extension', async () => {
    const { stream } = dial({
      protocol: 'mqttv3.1, mqtt',
      headers: ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'],
    });
    await expect.poll(() => stream.status).toBe(101);
    expect(stream.answer).toMatch(/^Sec-WebSocket-Protocol: mqtt$/im);
    expect(stream.answer).not.toMatch(/Extensions/i);
  });

  it.each<readonly [string, WebSocketWish, number]>([
    ['no subprotocol', { protocol: null }, 404],
    ['another subprotocol', { protocol: 'mqttv3.1' }, 404],
    ['another path', { path: '/other' }, 404],
    ['a longer path', { path: '/mqtt/x' }, 404],
    ['the origin of another site', { headers: ['Origin: https://evil.test'] }, 404],
    ['its own name in clear', { headers: ['Origin: http://localhost'] }, 404],
    ['the origin of a local file', { headers: ['Origin: null'] }, 404],
    ['two hosts', { headers: ['Host: other'] }, 400],
    ['its own origin', { headers: ['Origin: https://localhost'] }, 101],
    ['a query', { path: '/mqtt?x=y' }, 101],
  ])('answers an upgrade with %s by its row', async (_, wish, status) => {
    expect(await statusOf(wish)).toBe(status);
  });

  it('refuses a handshake that RFC 6455 does not allow', async () => {
    expect(await statusOf({ headers: ['Sec-WebSocket-Version: 12'] })).toBe(400);
  });

  it.each<readonly [string, number, (stream: WebSocketStream) => void]>([
    ['a text message', 1003, (stream) => stream.send(OPCODE.text, connectPacket)],
    ['a message without mask', 1002, (stream) => stream.send(OPCODE.binary, connectPacket, { masked: false })],
    ['a fragment of nothing', 1002, (stream) => stream.send(OPCODE.continuation, connectPacket)],
    [
      'a message over the limit',
      1009,
      (stream) => stream.send(OPCODE.binary, Buffer.alloc(MAX_MESSAGE_BYTES + 1, 0x30)),
    ],
  ])('ends at %s with close code %i', async (_, code, act) => {
    const { stream, socket } = dial();
    await expect.poll(() => stream.status).toBe(101);
    const gone = closing(socket);
    act(stream);
    await expect.poll(() => stream.closeCode).toBe(code);
    await gone;
    await expect.poll(() => world.mqtt.sessions.size).toBe(0);
  });

  it('answers pings, which stand for no CONNECT: who sends nothing else is dropped', async () => {
    const { stream, socket } = dial();
    await expect.poll(() => stream.status).toBe(101);
    const gone = closing(socket);
    stream.send(OPCODE.ping, Buffer.from('a'));
    await expect.poll(() => stream.pongs).toBe(1);
    await gone;
  });

  it('ends with the client that closes', async () => {
    const client = await world.open(DOOR, lamp);
    await expect.poll(() => world.mqtt.presence.of('default', 'lamp-1')).toMatchObject([{ protocol: 'mqtt' }]);
    client.socket.destroy();
    await expect.poll(() => world.mqtt.sessions.size).toBe(0);
    await expect.poll(() => world.mqtt.presence.of('default', 'lamp-1')).toEqual([]);
  });

  it('says why to a device that is revoked, and closes in order (AC05)', async () => {
    let stream: WebSocketStream | undefined;
    const client = await world.mqtt.open(lamp, {
      port: world.port('https'),
      through: (socket) => (stream = new WebSocketStream(socket)),
    });
    world.mqtt.sessions.cut(LAMP, 'device-revoked');
    await client.closed;
    expect([client.disconnect, stream?.closeCode, world.mqtt.sessions.size]).toEqual([0x98, 1000, 0]);
  });
});
