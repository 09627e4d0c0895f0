import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@holdfast/kernel';
import { NatsPeer } from '../../../packages/server/src/engines/sinks/nats-peer.ts';
import type { OutgoingMessage, SinkVerdict } from '../../../packages/server/src/engines/sinks/sink-peer.ts';
import { check, expectEqual, expectThat, type Stranger } from '../stranger.ts';
import { findFreePorts } from '../world/free-ports.ts';
import type { HoldfastWorld } from '../world/holdfast-world.ts';
import { toolVersion } from '../world/run-tool.ts';
import { NatsLine } from './nats/nats-line.ts';

const HOST = '127.0.0.1';

export const nats: Stranger = {
  name: 'nats-server',
  source: 'Debian',
  deed: 'takes what devices say: plain subjects, JetStream acknowledged and counted once, killed and started again',
  install: 'apt-get install nats-server',
  version: () => toolVersion('nats-server', ['--version']),
  meet: async (world, report) => {
    await check(report, 'plain: who subscribes gets every message under its subject', () => plain(world));
    await check(report, 'JetStream: a stream keeps each message once, over kill -9', () => streamed(world));
  },
};

interface Running {
  readonly address: string;
  readonly kill: () => Promise<void>;
}

async function start(world: HoldfastWorld, port: number, jetStream: boolean): Promise<Running> {
  const store = path.join(world.scratch('nats'), String(port));
  const args = ['-a', HOST, '-p', String(port), ...(jetStream ? ['-js', '-sd', store] : [])];
  const child: ChildProcess = spawn('nats-server', args, { stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries === 200) throw new Error('nats-server did not come up');
    await sleep(50);
  }
  return {
    address: `${HOST}:${port}`,
    kill: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: HOST, port });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

function peerTo(address: string, jetStream: 'auto' | 'required'): NatsPeer {
  const secrets = { token: undefined, user: undefined, password: undefined, credentials: undefined };
  return new NatsPeer({
    servers: [address],
    prefix: 'fleet',
    jetStream,
    caPem: undefined,
    clock: systemClock,
    ...secrets,
  });
}

const message = (offset: number, topic: string): OutgoingMessage => ({
  id: `spool-${offset}`,
  offset,
  topic,
  deviceId: 'lamp',
  qos: 1,
  at: 0,
  json: JSON.stringify({ id: `spool-${offset}`, topic }),
});

async function plain(world: HoldfastWorld): Promise<void> {
  const [port = 0] = await findFreePorts(1);
  const server = await start(world, port, false);
  const peer = peerTo(server.address, 'auto');
  try {
    const listener = await NatsLine.open(HOST, port);
    await listener.subscribe('fleet.>');
    const batch = [message(0, 'devices/lamp/t'), message(1, 'devices/a.b/*'), message(2, '$aws/events/x')];
    expectEqual(await peer.send(batch), { kind: 'taken' }, 'verdict');
    const got: unknown[] = [];
    for (const _ of batch) {
      const { payload, subject } = await listener.next();
      got.push([subject, (JSON.parse(payload) as { topic: string }).topic]);
    }
    expectEqual(
      got,
      [
        ['fleet.devices.lamp.t', 'devices/lamp/t'],
        ['fleet.devices.a%2Eb.%2A', 'devices/a.b/*'],
        ['fleet.$aws.events.x', '$aws/events/x'],
      ],
      'subjects',
    );
    listener.close();
    const strict = peerTo(server.address, 'required');
    expectEqual(
      await strict.send([message(3, 'x')]),
      { kind: 'later', reason: 'no stream keeps the subject' },
      'strict',
    );
    await strict.close();
  } finally {
    await peer.close();
    await server.kill();
  }
}

async function streamed(world: HoldfastWorld): Promise<void> {
  const [port = 0] = await findFreePorts(1);
  let server = await start(world, port, true);
  const peer = peerTo(server.address, 'required');
  try {
    const admin = await NatsLine.open(HOST, port);
    const stream = { name: 'FLEET', subjects: ['fleet.>'], storage: 'file', retention: 'limits' };
    await admin.api('STREAM.CREATE.FLEET', stream);
    admin.close();
    const first = [message(0, 'devices/lamp/t'), message(1, 'devices/lamp/t')];
    expectEqual(await peer.send(first), { kind: 'taken' }, 'first batch');
    expectEqual(await peer.send(first), { kind: 'taken' }, 'the same again');
    await server.kill();
    const away = await peer.send([message(2, 'devices/lamp/t')]);
    expectEqual(away.kind, 'later', 'while it is gone');
    server = await start(world, port, true);
    await untilTaken(() => peer.send([message(2, 'devices/lamp/t')]));
    const reader = await NatsLine.open(HOST, port);
    const { state } = JSON.parse(await reader.api('STREAM.INFO.FLEET', {})) as { state: { messages: number } };
    expectEqual(state.messages, 3, 'messages in the stream');
    reader.close();
  } finally {
    await peer.close();
    await server.kill();
  }
}

async function untilTaken(send: () => Promise<SinkVerdict>): Promise<void> {
  for (let tries = 0; (await send()).kind !== 'taken'; tries++) {
    expectThat(tries < 100, 'the message was never taken');
    await sleep(100);
  }
}
