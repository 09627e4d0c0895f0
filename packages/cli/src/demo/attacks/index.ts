import type { Trial } from '../trial.ts';
import { CANARIES } from './canaries.ts';
import { CHANGED_JOB } from './changed-job.ts';
import { CHANGED_LOG } from './changed-log.ts';
import { CLAIM_REUSE } from './claim-reuse.ts';
import { COPIED_KEY } from './copied-key.ts';
import { FOREIGN_CA } from './foreign-ca.ts';
import { FOREIGN_TOPICS } from './foreign-topics.ts';
import { FORGED_EVIDENCE } from './forged-evidence.ts';
import { FLIPPED_BIT, OLDER_COUNTER, UNSIGNED_IMAGE } from './images.ts';
import { REVOKED_LIVE } from './revoked-live.ts';
import { REVOKED_RESUMED } from './revoked-resumed.ts';

/** The attacks in their order; each one brings its own devices and claims, or leaves those of the story as they were. */
export const ATTACKS: readonly Trial[] = [
  FOREIGN_CA,
  FOREIGN_TOPICS,
  FLIPPED_BIT,
  UNSIGNED_IMAGE,
  OLDER_COUNTER,
  REVOKED_LIVE,
  REVOKED_RESUMED,
  COPIED_KEY,
  CHANGED_JOB,
  CHANGED_LOG,
  CANARIES,
  CLAIM_REUSE,
  FORGED_EVIDENCE,
];
