import { concatBytes } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { PipeTransport } from '../testing/pipe.ts';
import { Bench } from '../testing/test-core.ts';
import { loadSequences, playSequence, type Sequence, type Wire } from '../testing/vectors.ts';
import { derivedSequences } from './sequences.ts';

const DERIVED = derivedSequences();

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

/** Version, whether CONNECT went before, and what was sent: all that decides the answer. */
function keyOf({ ver = 4, connect = true, msgs }: Sequence): string {
  const sent = msgs.filter(({ type }) => type !== 'recv').map(({ type, payload }) => `${type} ${payload}`);
  return `${connect ? ver : ''} ${sent.join(' ')}`.replaceAll(/\s/g, '').toLowerCase();
}

function verdictOf({ expect_disconnect = true, msgs }: Sequence): string {
  const heard = msgs.filter(({ type }) => type === 'recv').map(({ payload }) => payload);
  // The properties of a CONNACK are each server's own.
  const told = heard.map((payload) =>
    payload
      .replaceAll(' ', '')
      .toLowerCase()
      .replace(/^20..(....).*/, 'connack $1'),
  );
  return `${told.join(', ')}${expect_disconnect ? ', then the end' : ''}`;
}

describe('the wire sequences derived from the standard', () => {
  const groups = [...new Set(DERIVED.map(({ title }) => title.slice(0, title.indexOf(':'))))];

  it.each(groups)('%s: every one is answered as it demands', async (group) => {
    const bench = await Bench.started();
    const faults: string[] = [];
    for (const sequence of DERIVED) {
      if (!sequence.title.startsWith(`${group}:`)) continue;
      const fault = await playSequence(sequence, () => Promise.resolve(pipeWire(bench)));
      if (fault !== undefined) faults.push(`${sequence.title}: ${fault}`);
    }
    expect(faults).toEqual([]);
    expect(bench.broker.gauges().connections).toBe(0);
  });

  it('judge as the vectors do wherever both send the same bytes', () => {
    const known = new Map(DERIVED.map((sequence) => [keyOf(sequence), sequence]));
    const shared = loadSequences().filter((vector) => known.has(keyOf(vector)));
    const apart = shared.filter((vector) => verdictOf(vector) !== verdictOf(known.get(keyOf(vector)) as Sequence));
    expect(apart.map(({ title }) => title)).toEqual([]);
    expect(shared.length).toBeGreaterThan(300);
  });

  it('are many, and no two have one name', () => {
    expect(new Set(DERIVED.map(({ title }) => title)).size).toBe(DERIVED.length);
    expect(DERIVED.length).toBeGreaterThan(10_000);
  });
});
