import type { Trial } from '../trial.ts';
import { BEGINNING } from './beginning.ts';
import { EXTRAS } from './extras.ts';
import { ROLLBACK } from './rollback.ts';
import { ROLLOUT } from './rollout.ts';

/** The story in its order; each step stands on those before it. */
export const STORY: readonly Trial[] = [...BEGINNING, ...ROLLOUT, ROLLBACK, EXTRAS];
