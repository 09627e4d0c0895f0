import { bootMutants } from './boot-mutants/boot-mutants.ts';
import { enrollmentKill } from './enrollment-kill.ts';
import { imageMutants } from './image-mutants/image-mutants.ts';
import { imageOracles } from './image-oracles.ts';
import { mqttMutations } from './mqtt-mutations.ts';
import { powerCuts } from './power-cuts.ts';
import { stationKill } from './station-kill.ts';
import type { Soak } from './soak.ts';

export const SOAKS: readonly Soak[] = [
  bootMutants,
  enrollmentKill,
  imageMutants,
  imageOracles,
  mqttMutations,
  powerCuts,
  stationKill,
];
