import { HoldfastError, ManualClock } from '@holdfast/kernel';
import { describe, expect, it } from 'vitest';
import type { Stage } from './stage.ts';
import { findingOf, performTrial, type Trial } from './trial.ts';

const NO_STAGE = {} as Stage;

function trialThat(perform: Trial['perform']): Trial {
  return { name: 'a', title: 'an attack', expected: 'refused', perform };
}

describe('a finding', () => {
  it('holds when everything looked at is right, and says all of it', () => {
    const finding = findingOf([
      ['MQTT', 'refused', true],
      ['counter', 2, true],
    ]);
    expect(finding).toEqual({ seen: 'MQTT: refused; counter: 2', held: true });
  });

  it('does not hold when one thing is wrong, or nothing was looked at', () => {
    expect(
      findingOf([
        ['MQTT', 'refused', true],
        ['HTTPS', 'served', false],
      ]).held,
    ).toBe(false);
    expect(findingOf([]).held).toBe(false);
  });
});

describe('a trial', () => {
  it('is timed by the clock', async () => {
    const clock = new ManualClock();
    const trial = trialThat(async () => {
      clock.advance(1234);
      return { seen: 'refused', held: true };
    });
    expect(await performTrial(trial, NO_STAGE, clock)).toMatchObject({ seen: 'refused', held: true, ms: 1234 });
  });

  it('has not held when it could not be finished, and names the code', async () => {
    const trial = trialThat(async () => {
      throw new HoldfastError('device.connection_lost', { reason: 'closed' });
    });
    const outcome = await performTrial(trial, NO_STAGE, new ManualClock());
    expect(outcome.held).toBe(false);
    expect(outcome.seen).toContain('[device.connection_lost]');
  });
});
