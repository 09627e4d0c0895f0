import { ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import { deriveTicketKeys, TicketKeys } from './ticket-keys.ts';

describe('ticket keys', () => {
  const secret = new Uint8Array(32).fill(1);
  const scope = { listener: 'mqtt', trustSet: 'a' };
  const hex = (overrides: Partial<typeof scope>, now = 0, epoch = 0, other = secret) =>
    deriveTicketKeys(other, { ...scope, ...overrides }, now, epoch).toString('hex');

  it('are the same everywhere for one door, hour and epoch, and differ for any other', () => {
    const all = [
      hex({}),
      hex({ listener: 'https' }),
      hex({ trustSet: 'b' }),
      hex({ listener: 'mqtta', trustSet: '' }),
      hex({}, 3_600_000),
      hex({}, 0, 1),
      hex({}, 0, 0, new Uint8Array(32).fill(2)),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(hex({}, 3_599_999)).toBe(hex({}));
    expect(hex({})).toHaveLength(96);
  });

  it('change at each full hour and when the epoch rises, never back', () => {
    const used: string[] = [];
    const manual = new ManualClock(Date.UTC(2026, 0, 1, 0, 30));
    const keys = new TicketKeys({
      secret,
      scope,
      clock: manual,
      epoch: 1,
      use: (each) => used.push(each.toString('hex')),
    });
    manual.advance(29 * 60_000);
    expect(used).toEqual([]);
    manual.advance(60_000);
    expect(used).toEqual([keys.current().toString('hex')]);
    keys.raiseEpoch(1);
    expect(used).toHaveLength(1);
    keys.raiseEpoch(2);
    keys.raiseEpoch(1);
    expect(used).toEqual([used[0], keys.current().toString('hex')]);
    keys.close();
    manual.advance(7_200_000);
    expect(used).toHaveLength(2);
  });
});
