import type { ChipId, StrategyName } from '@holdfast/crypto/virtual-chip';
import type { ImageFormatName } from './formats.ts';

/**
 * What came of one thing that was tried. `not-rehearsed` is no success: its words say why nothing could be tried.
 */
export type RehearsalResult = 'passed' | 'refused' | 'not-rehearsed';

/** One thing that was tried. */
export interface RehearsalStep {
  /** `image`: the image by itself. `update`: from one firmware to it. `attack`: what boot code must refuse. */
  readonly kind: 'image' | 'update' | 'attack';
  /** The firmware it was updated from, or what was tried, in words. */
  readonly name: string;
  readonly result: RehearsalResult;
  /** Stable code of the refusal, when there is one. */
  readonly code?: string;
  readonly words: string;
  /** Power cuts that were tried, and flash operations at which they could have been. */
  readonly cuts?: number;
  readonly operations?: number;
}

/** What a rehearsal found; plain data, kept with the release as JSON. */
export interface RehearsalReport {
  readonly format: ImageFormatName;
  /** Undefined when no virtual chip boots the format. */
  readonly chip: ChipId | undefined;
  readonly strategy: StrategyName | undefined;
  /** `partial`: nothing was refused, but something could not be tried; each such step says why. */
  readonly result: 'passed' | 'refused' | 'partial';
  readonly steps: readonly RehearsalStep[];
  /** Power cuts of all steps. */
  readonly cuts: number;
  /** The same seed, images and number of cuts give the same cuts. */
  readonly seed: number;
  readonly seconds: number;
}

/** The result of a whole from its steps: a rehearsal without any update that passed has passed nothing. */
export function resultOf(steps: readonly RehearsalStep[]): RehearsalReport['result'] {
  if (steps.some(({ result }) => result === 'refused')) return 'refused';
  const whole = steps.every(({ result }) => result === 'passed');
  return whole && steps.some(({ kind }) => kind === 'update') ? 'passed' : 'partial';
}
