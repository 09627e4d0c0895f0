import { expect, it } from 'vitest';
import { besiegeEnrollment } from './enrollment-kill.ts';

it('leaves nothing half done over 50 kills at any step of an enrollment, and serves every retry', async () => {
  const { faults, facts } = await besiegeEnrollment({ kills: 50, seed: 20_260_101, maxDelayMs: 60 });
  expect(faults).toEqual([]);
  expect(facts).toMatchObject({ kills: 50, devices: 150 });
}, 180_000);
