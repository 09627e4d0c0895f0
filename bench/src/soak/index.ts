import { enrollmentKill } from './enrollment-kill.ts';
import { mqttMutations } from './mqtt-mutations.ts';
import { powerCuts } from './power-cuts.ts';
import { stationKill } from './station-kill.ts';
import type { Soak } from './soak.ts';

export const SOAKS: readonly Soak[] = [enrollmentKill, mqttMutations, powerCuts, stationKill];
