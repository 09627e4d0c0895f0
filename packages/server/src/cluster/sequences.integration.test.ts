import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { systemClock } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketTransport } from '../protocols/mqtt/index.ts';
import { socketWire } from '../protocols/mqtt/testing/socket-wire.ts';
import { loadSequences, playSequence } from '../protocols/mqtt/testing/vectors.ts';
import { ClusterBench } from './testing/cluster-bench.ts';

const NODES = 3;

let cluster: ClusterBench;
let doors: readonly Server[];
beforeEach(async () => {
  cluster = await ClusterBench.start(NODES);
  doors = await Promise.all(
    cluster.nodes.map(async ({ bench: { broker } }) => {
      const server = createServer((socket) => {
        const peer = { address: `${socket.remoteAddress}:${socket.remotePort}`, identity: undefined };
        broker.accept(new SocketTransport(socket, { peer, clock: systemClock, lingerMs: 2_000 }));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
});
afterEach(async () => {
  for (const door of doors) door.close();
  await cluster.close();
});

describe("Mosquitto's wire sequences", () => {
  it('pass through three nodes: each connection of a sequence at another one', async () => {
    let opened = 0;
    const open = () => {
      const door = doors[opened++ % NODES] as Server;
      return socketWire((door.address() as AddressInfo).port);
    };
    const faults: string[] = [];
    for (const sequence of loadSequences()) {
      const fault = await playSequence(sequence, open);
      if (fault !== undefined) faults.push(`${sequence.title}: ${fault}`);
    }
    expect(faults).toEqual([]);
  });
});
