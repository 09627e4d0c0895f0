import type { EpochMs } from '@holdfast/kernel';
import type { AcceptedEvidence, ExecutionRecord, ReleaseRecord } from '../ports/index.ts';

/** What evidence means for an open execution. */
export type ProofVerdict =
  | { readonly kind: 'proves' }
  /** The new firmware runs on trial: from here on, old firmware means that the device went back. */
  | { readonly kind: 'on-trial' }
  | { readonly kind: 'rolled-back' }
  | { readonly kind: 'says-nothing' };

export interface ProofFacts {
  readonly execution: Pick<ExecutionRecord, 'triedAt'>;
  readonly release: Pick<ReleaseRecord, 'measurement'>;
  readonly evidence: Pick<AcceptedEvidence, 'digest' | 'bootState' | 'at'>;
}

/** A firmware execution ends well only by measured, confirmed firmware; safe mode is no verdict, the device may recover. */
export function judgeProof({ execution, release, evidence }: ProofFacts): ProofVerdict {
  if (evidence.bootState === 'recovery') return { kind: 'says-nothing' };
  if (evidence.digest === release.measurement) {
    return evidence.bootState === 'confirmed' ? { kind: 'proves' } : { kind: 'on-trial' };
  }
  const tried = execution.triedAt !== undefined && evidence.at > execution.triedAt;
  return tried ? { kind: 'rolled-back' } : { kind: 'says-nothing' };
}

/**
 * Words by which a device says that it is about to boot the new firmware, by member of statusDetails. Only a later
 * measurement of other firmware can be read as going back: before, it is a device that has not come to installing.
 */
const TRIAL_WORDS: Readonly<Record<string, readonly string[]>> = {
  // FreeRTOS OTA agent, ota.c: "ready" before its reset, "active" in the self-test.
  self_test: ['ready', 'active'],
  // The Holdfast device agent.
  step: ['restarting'],
};

export function saysItRestarts(details: Readonly<Record<string, string>>): boolean {
  return Object.entries(TRIAL_WORDS).some(([name, words]) => words.includes(details[name] ?? ''));
}

/** How a device words that it tried the new firmware and went back on its own. */
const ROLLED_BACK = 'device.rolled_back';

export function saysItWentBack(details: Readonly<Record<string, string>>): boolean {
  return details['code'] === ROLLED_BACK;
}

/** When the trial began: the first moment that is known. */
export function triedSince(execution: Pick<ExecutionRecord, 'triedAt'>, at: EpochMs): EpochMs {
  return execution.triedAt ?? at;
}
