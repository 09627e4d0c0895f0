import { ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { CloneTrap, type QuarantineFinding, TakeoverHistory } from './clone-trap.ts';
import type { Takeover } from './contracts.ts';

function takeover(from: number, to: number, deviceId = 'lamp-1'): Takeover {
  const place = (n: number) => ({
    connectionId: `c${n}`,
    remoteAddress: `192.0.2.${n}:4000`,
    connectedAt: Date.UTC(2026, 0, 1, 0, 0, n),
  });
  return { tenant: 'default', deviceId, previous: place(from), next: place(to) };
}

describe('the take-over history', () => {
  it.each([
    { name: 'three within the window', at: [0, 20_000, 59_999], trapped: [false, false, true] },
    { name: 'three, the first just out of the window', at: [0, 30_000, 60_000], trapped: [false, false, false] },
    { name: 'two', at: [0, 1], trapped: [false, false] },
    { name: 'four at once', at: [0, 0, 0, 0], trapped: [false, false, true, false] },
    {
      name: 'one a minute for an hour',
      at: Array.from({ length: 60 }, (_, i) => i * 60_000),
      trapped: Array(60).fill(false),
    },
  ])('answers $name', ({ at, trapped }) => {
    const history = new TakeoverHistory();
    expect(at.map((now, i) => history.record(takeover(i, i + 1), now))).toEqual(trapped);
  });

  it('counts each device for itself', () => {
    const history = new TakeoverHistory();
    const answers = [0, 1, 2].flatMap((i) => ['a', 'b'].map((id) => history.record(takeover(i, i + 1, id), i)));
    expect(answers).toEqual([false, false, false, false, true, true]);
  });

  it('does not count a connection that takes over itself', () => {
    const history = new TakeoverHistory();
    for (let i = 0; i < 9; i++) expect(history.record(takeover(1, 1), i)).toBe(false);
  });

  it('remembers no more devices than its limit', () => {
    const history = new TakeoverHistory({ takeovers: 2, windowMs: 60_000, devices: 2 });
    history.record(takeover(0, 1, 'a'), 0);
    history.record(takeover(0, 1, 'b'), 1);
    history.record(takeover(0, 1, 'c'), 2);
    expect(history.record(takeover(1, 2, 'a'), 3)).toBe(false);
    expect(history.record(takeover(1, 2, 'c'), 4)).toBe(true);
  });
});

describe('the clone trap', () => {
  it('quarantines the device at the third take-over and names both addresses and times', async () => {
    const clock = new ManualClock();
    const findings: QuarantineFinding[] = [];
    const trap = new CloneTrap({
      clock,
      registry: {
        async quarantine(_principal, deviceId, finding) {
          expect(deviceId).toBe('lamp-1');
          findings.push(finding);
        },
      },
    });
    const outcomes = [];
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 2],
    ] as const) {
      outcomes.push(await trap.takenOver(takeover(from, to)));
      clock.advance(1_000);
    }
    expect(outcomes).toEqual(['kept', 'kept', 'quarantined']);
    expect(findings).toEqual([
      expect.objectContaining({
        details: {
          firstAddress: '192.0.2.1:4000',
          firstConnectedAt: '2026-01-01T00:00:01.000Z',
          secondAddress: '192.0.2.2:4000',
          secondConnectedAt: '2026-01-01T00:00:02.000Z',
        },
      }),
    ]);
  });
});
