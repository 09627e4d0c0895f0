import { ManualClock } from '@holdfast/kernel';
import { expect, it } from 'vitest';
import { Outage } from './outage.ts';

it('keeps everybody from a database that is down for a pause that doubles up to five seconds', () => {
  const clock = new ManualClock();
  const outage = new Outage(clock);
  const isOpen = (): boolean => {
    try {
      outage.check();
      return true;
    } catch {
      return false;
    }
  };
  for (const pauseMs of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    expect(isOpen()).toBe(true);
    outage.failed();
    clock.advance(pauseMs - 1);
    expect(isOpen()).toBe(false);
    clock.advance(1);
  }
  outage.failed();
  outage.ended();
  expect(isOpen()).toBe(true);
});
