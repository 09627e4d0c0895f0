import { concatBytes } from '@holdfast/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProgram, startBrokerProgram } from './testing/broker-program.ts';
import { PipeTransport } from './testing/pipe.ts';
import { socketWire } from './testing/socket-wire.ts';
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
