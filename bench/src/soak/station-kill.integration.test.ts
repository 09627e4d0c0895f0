import { expect, it } from 'vitest';
import { besiegeStation } from './station-kill.ts';

it('gives each device one certificate and one set of files over 10 kills of the station', async () => {
  const { faults, facts } = await besiegeStation({ kills: 10, devices: 24, seed: 20_260_101 });
  expect(faults).toEqual([]);
  expect(facts).toMatchObject({ kills: 10 });
}, 180_000);
