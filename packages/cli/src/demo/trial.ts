import type { Clock } from '@holdfast/kernel';
import { describeFailure } from '../output/failure.ts';
import type { Stage } from './stage.ts';

/** What was seen from outside, and whether it is what has to happen. */
export interface Finding {
  readonly seen: string;
  readonly held: boolean;
}

/** One step of the story, or one attack. */
export interface Trial {
  /** Stable, for scripts. */
  readonly name: string;
  readonly title: string;
  readonly expected: string;
  readonly perform: (stage: Stage) => Promise<Finding>;
}

export interface Outcome extends Finding {
  readonly name: string;
  readonly title: string;
  readonly expected: string;
  readonly ms: number;
}

/** Performs a trial; one that cannot be finished has not held. */
export async function performTrial(trial: Trial, stage: Stage, clock: Clock): Promise<Outcome> {
  const { name, title, expected } = trial;
  const began = clock.monotonicMs();
  const finding = await trial.perform(stage).catch(failed);
  return { name, title, expected, ...finding, ms: Math.round(clock.monotonicMs() - began) };
}

function failed(error: unknown): Finding {
  return { seen: describeFailure(error).line, held: false };
}

/** Between two observations. */
export const SEPARATOR = '; ';

/** One thing looked at: what, what was there, and whether that is right. */
export type Observation = readonly [what: string, seen: string | number, right: boolean];

/** All of them together: held when every single one is right. */
export function findingOf(observations: readonly Observation[]): Finding {
  return {
    seen: observations.map(([what, seen]) => `${what}: ${seen}`).join(SEPARATOR),
    held: observations.length > 0 && observations.every(([, , right]) => right),
  };
}
