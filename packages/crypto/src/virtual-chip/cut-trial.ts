import { encodeHex, equalBytes, HoldfastError } from '@holdfast/kernel';
import { sha256 } from '../primitives/hash.ts';
import type { Fault } from './faults.ts';
import type { ImageJudge, ImageVerdict } from './image-judge.ts';
import type { ChipState, ChipVerdict, VirtualChip } from './virtual-chip.ts';

/** An image, and what tells it apart once it runs. */
export interface TrialImage {
  readonly file: Uint8Array;
  readonly digest: Uint8Array;
  readonly securityCounter: number;
}

/** A chip that runs `from` and is sent `to`, over and over from the same state. */
export interface CutTrial {
  readonly chip: VirtualChip;
  readonly start: ChipState;
  readonly from: TrialImage;
  readonly to: TrialImage;
  /** Flash and fuse operations of an undisturbed update: staged, booted, confirmed, booted. */
  readonly operations: number;
}

/** Why no trial could begin: the image does not boot undisturbed. */
export interface NoTrial {
  readonly kind: 'no-trial';
  readonly step: 'provision' | 'stage' | 'first-boot' | 'second-boot';
  readonly verdict:
    | ChipVerdict
    | { readonly kind: 'refused'; readonly code: string }
    | { readonly kind: 'other-image' };
}

/** Provisions a fresh chip with one image, updates it once without faults, and counts. */
export function prepareCutTrial(chip: VirtualChip, files: { from: Uint8Array; to: Uint8Array }): CutTrial | NoTrial {
  chip.provision(files.from);
  const first = chip.boot();
  if (first.kind !== 'running') return { kind: 'no-trial', step: 'provision', verdict: first };
  const start = chip.save();
  chip.supply.setPlan([]);
  const staged = chip.stage(files.to);
  if (staged.kind === 'refused') return { kind: 'no-trial', step: 'stage', verdict: staged };
  let { operations } = chip;
  const trial = chip.boot();
  operations += chip.operations;
  if (trial.kind !== 'running') return { kind: 'no-trial', step: 'first-boot', verdict: trial };
  if (equalBytes(trial.image.digest, first.image.digest) && !equalBytes(files.from, files.to))
    return { kind: 'no-trial', step: 'first-boot', verdict: { kind: 'other-image' } };
  chip.confirm();
  operations += chip.operations;
  const kept = chip.boot();
  operations += chip.operations;
  if (kept.kind !== 'running') return { kind: 'no-trial', step: 'second-boot', verdict: kept };
  const named = (file: Uint8Array, { image, securityCounter }: typeof kept): TrialImage => ({
    file,
    digest: image.digest,
    securityCounter,
  });
  return { chip, start, from: named(files.from, first), to: named(files.to, kept), operations };
}

/** An update that goes through each of these plans in turn: the first as it is made, the others as the chip recovers. */
export interface CutJourney {
  readonly confirms: boolean;
  readonly plans: readonly (readonly Fault[])[];
}

export interface CutOutcome {
  /** Plans that took the power. */
  readonly cuts: number;
  /** What no cut may bring about; undefined when all held. */
  readonly problem?: string;
}

/**
 * Goes through one journey and looks at the chip after it: it boots the old or the new image, again and again, its
 * fuses never ask for more than what is kept, and it can still be updated.
 */
export function tryCuts(trial: CutTrial, { confirms, plans }: CutJourney): CutOutcome {
  const { chip, start } = trial;
  chip.load(start);
  let cuts = 0;
  try {
    for (const [index, plan] of plans.entries()) {
      const outcome = chip.under(plan, () => {
        if (index === 0) updateOnce(trial, confirms);
        else chip.run();
      });
      if (outcome === 'done') break;
      cuts++;
    }
    chip.supply.setPlan([]);
    const problem = problemOf(trial);
    return problem === undefined ? { cuts } : { cuts, problem };
  } catch (error) {
    // Boot code that asks the flash for what it cannot do stands still.
    if (!HoldfastError.is(error)) throw error;
    return { cuts, problem: `boot code stopped by ${error.code}` };
  }
}

function problemOf(trial: CutTrial): string | undefined {
  const { chip, to } = trial;
  for (const when of ['after the cut', 'at the boot after it']) {
    const problem = unsound(trial, chip.boot());
    if (problem !== undefined) return `${problem} ${when}`;
  }
  chip.stage(to.file);
  chip.boot();
  chip.confirm();
  const last = chip.boot();
  if (last.kind !== 'running' || !equalBytes(last.image.digest, to.digest)) return 'cannot be updated any more';
  return chip.securityCounter === to.securityCounter ? undefined : 'the counter does not follow the image';
}

function unsound({ chip, from, to }: CutTrial, verdict: ChipVerdict): string | undefined {
  if (verdict.kind !== 'running') return `boots nothing (${verdict.kind === 'safe-mode' ? verdict.code : ''})`;
  const { digest } = verdict.image;
  const isNew = equalBytes(digest, to.digest);
  if (!isNew && !equalBytes(digest, from.digest)) return 'boots another image';
  const allowed = isNew && verdict.state === 'confirmed' ? to.securityCounter : from.securityCounter;
  return chip.securityCounter > allowed ? 'the counter is ahead of the image' : undefined;
}

function updateOnce({ chip, to }: CutTrial, confirms: boolean): void {
  chip.slot.prepare(to.file.length);
  chip.download(to.file);
  chip.slot.requestTest();
  chip.run();
  if (confirms) chip.slot.confirm();
  chip.run();
}

const REMEMBERED = 256;

/** The same judge, which does not verify the same slot content twice: signatures cost more than all else in a boot. */
export function rememberVerdicts(judge: ImageJudge): ImageJudge {
  const known = new Map<string, ImageVerdict>();
  return (slot, terms) => {
    const name = `${terms.minCounter} ${terms.address} ${encodeHex(sha256(slot))}`;
    const found = known.get(name);
    if (found !== undefined) return found;
    const verdict = judge(slot, terms);
    if (verdict.kind === 'refused') return verdict;
    if (known.size >= REMEMBERED) known.clear();
    known.set(name, verdict);
    return verdict;
  };
}
