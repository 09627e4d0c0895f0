import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { concatBytes } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProgram, startBrokerProgram } from './testing/broker-program.ts';
import { PipeTransport } from './testing/pipe.ts';
import { Bench } from './testing/test-core.ts';
import { loadSequences, playSequence, type Wire } from './testing/vectors.ts';

const SEQUENCES = loadSequences();

function pipeWire(bench: Bench): Wire {
  const pipe = new PipeTransport();
  bench.broker.accept(pipe);
  let received: Uint8Array = new Uint8Array(0);
  return {
    async send(bytes) {
      pipe.send(bytes);
      await bench.settle();
    },
    async receive(length) {
      await bench.settle();
      received = concatBytes(received, pipe.take());
      const part = received.subarray(0, length);
      received = received.subarray(length);
      return part;
    },
    close: () => pipe.drop(),
  };
}

async function socketWire(port: number): Promise<Wire> {
  const socket: Socket = connect(port, '127.0.0.1');
  let received: Uint8Array = new Uint8Array(0);
  let ended = false;
  let wake = (): void => undefined;
  socket.on('data', (chunk) => {
    received = concatBytes(received, chunk);
    wake();
  });
  const end = (): void => {
    ended = true;
    wake();
  };
  socket.on('end', end);
  socket.on('close', end);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return {
    send(bytes) {
      if (!ended) socket.write(bytes);
      return Promise.resolve();
    },
    async receive(length) {
      const deadline = AbortSignal.timeout(2_000);
      const isOver = (): boolean => received.length >= length || ended || deadline.aborted;
      while (!isOver()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          deadline.addEventListener('abort', () => resolve(), { once: true });
        });
      }
      const part = received.subarray(0, length);
      received = received.subarray(length);
      return part;
    },
    close: () => void socket.destroy(),
  };
}

async function playAll(open: () => Promise<Wire>): Promise<string[]> {
  const faults: string[] = [];
  for (const sequence of SEQUENCES) {
    const fault = await playSequence(sequence, open);
    if (fault !== undefined) faults.push(`${sequence.title}: ${fault}`);
  }
  return faults;
}

function report(where: string, faults: readonly string[]): void {
  console.log(`mqtt sequences ${where}: ${SEQUENCES.length - faults.length} of ${SEQUENCES.length} pass`);
}

describe("Mosquitto's wire sequences", () => {
  it('pass in process', async () => {
    const bench = await Bench.started();
    const faults = await playAll(() => Promise.resolve(pipeWire(bench)));
    report('in process', faults);
    expect(faults).toEqual([]);
    expect(SEQUENCES).toHaveLength(522);
  });

  describe('against the conformance program', () => {
    let program: BrokerProgram;

    beforeAll(async () => {
      program = await startBrokerProgram();
    });

    afterAll(() => program.stop());

    it('pass over a socket', async () => {
      const faults = await playAll(() => socketWire(program.port));
      report('over a socket', faults);
      expect(faults).toEqual([]);
    });
  });
});
