import { ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { AddressRate } from './address-rate.ts';
import { ConnectGate } from './connect-gate.ts';
import { ADMISSION_LIMITS } from './limits.ts';

const clock = new ManualClock();

describe('the connect gate', () => {
  const limits = {
    ...ADMISSION_LIMITS,
    connections: 4,
    connectionsPerAddress: 3,
    handshakesInFlight: 2,
    handshakesWaiting: 1,
  };
  let resident = 0;
  const gateOf = (overrides: Partial<typeof limits> = {}) =>
    new ConnectGate({ ...limits, ...overrides }, { clock, residentBytes: () => resident });

  it('bounds connections in all and for each address', () => {
    const gate = gateOf();
    expect(['a', 'a', 'a', 'a', 'b', 'c'].map((address) => gate.enter(address))).toEqual([
      undefined,
      undefined,
      undefined,
      'address',
      undefined,
      'connections',
    ]);
    gate.leave('a');
    expect(gate.enter('a')).toBeUndefined();
    expect(gate.counters).toMatchObject({ open: 4, refused: { address: 1, connections: 1 } });
  });

  it('starts handshakes in turn and turns the rest away', () => {
    const gate = gateOf();
    const started: number[] = [];
    for (let i = 0; i < 3; i++) gate.handshake(() => started.push(i));
    expect([started, gate.counters.waiting, gate.enter('a')]).toEqual([[0, 1], 1, 'waiting']);
    gate.finish();
    expect([started, gate.enter('a')]).toEqual([[0, 1, 2], undefined]);
    gate.finish();
    gate.finish();
    expect(gate.counters).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  it('lets an address connect in a burst, then at its pace', () => {
    const gate = gateOf({ connectBurstPerAddress: 2, connectsPerSecondPerAddress: 1 });
    const connect = () => {
      const refusal = gate.enter('a');
      if (refusal === undefined) gate.leave('a');
      return refusal;
    };
    expect([connect(), connect(), connect()]).toEqual([undefined, undefined, 'rate']);
    clock.advance(1_000);
    expect([connect(), connect()]).toEqual([undefined, 'rate']);
  });

  it('takes nobody in while memory is short', () => {
    const gate = gateOf({ residentBytes: 100 });
    resident = 101;
    clock.advance(500);
    expect(gate.enter('a')).toBe('memory');
    resident = 100;
    clock.advance(500);
    expect(gate.enter('a')).toBeUndefined();
    resident = 0;
  });

  it('remembers no more addresses than it may', () => {
    const rate = new AddressRate(1, 0, 2);
    expect(['a', 'b', 'a', 'c', 'd', 'a'].map((address) => rate.take(address, 0))).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
    ]);
  });
});
