import { CHIPS, counterCeiling, type CutTrial, type ImageJudge, VirtualChip } from '@holdfast/crypto/virtual-chip';
import { equalBytes } from '@holdfast/kernel';
import type { AcceptedImage } from './image-format.ts';
import type { RehearsalStep } from './rehearsal-report.ts';
import type { Booting, RehearsalWorld } from './rehearsal-world.ts';

/** What the boot code of one product must refuse, made from the release itself. */
interface Attack {
  readonly name: string;
  readonly make: (image: AcceptedImage, world: RehearsalWorld, booting: Booting) => Promise<Uint8Array> | Uint8Array;
}

const ATTACKS: readonly Attack[] = [
  { name: 'signed by another key', make: (image, world, { chip }) => world.forge(image, chip) },
  { name: 'one bit changed', make: ({ bytes }) => flipped(bytes, Math.floor(bytes.length / 3)) },
  { name: 'cut off', make: ({ bytes }) => bytes.subarray(0, Math.floor(bytes.length / 2)) },
  { name: 'for another chip', make: ({ bytes }, world) => world.estrange(bytes) },
];

export interface AttackedRelease {
  readonly image: AcceptedImage;
  readonly world: RehearsalWorld;
  readonly booting: Booting;
  readonly judge: ImageJudge;
}

/** Sends a chip that runs one firmware what it must not run, asked for on trial and for good. */
export async function* rehearseAttacks(trial: CutTrial, release: AttackedRelease): AsyncGenerator<RehearsalStep> {
  const { image, world, booting } = release;
  for (const { name, make } of ATTACKS) {
    const hostile = await make(image, world, booting);
    const problem = (['test', 'permanent'] as const).map((type) => problemOf(trial, hostile, type)).find(Boolean);
    yield stepOf(name, problem);
  }
  yield stepOf('larger than the slot', problemOfSize(trial));
  yield counterStep(trial, release);
}

function stepOf(name: string, problem: string | undefined): RehearsalStep {
  return problem === undefined
    ? { kind: 'attack', name, result: 'passed', words: 'refused; the firmware before it still runs' }
    : { kind: 'attack', name, result: 'refused', code: 'boot.rehearsal_refused', words: problem };
}

function problemOf(
  { chip, start, from }: CutTrial,
  hostile: Uint8Array,
  type: 'test' | 'permanent',
): string | undefined {
  chip.load(start);
  const staged = chip.stage(hostile, [], type);
  if (staged.kind === 'power-lost') return 'lost power without a cut';
  for (let boot = 0; boot < 2; boot++) {
    const verdict = chip.boot();
    if (verdict.kind !== 'running') return 'stopped the device from booting';
    if (!equalBytes(verdict.image.digest, from.digest)) return 'was booted';
  }
  return chip.securityCounter === from.securityCounter ? undefined : 'moved the security counter';
}

function problemOfSize({ chip, start, to }: CutTrial): string | undefined {
  chip.load(start);
  const long = new Uint8Array(chip.plan.capacity + 1);
  long.set(to.file.subarray(0, long.length));
  // Bytes behind an image are no padding.
  long.fill(0x5a, Math.min(to.file.length, long.length - 1));
  return chip.stage(long).kind === 'refused' ? undefined : 'was taken though it is larger than the slot';
}

/** A device whose fuses are one above the image's counter. */
function counterStep({ chip }: CutTrial, { image, judge, booting }: AttackedRelease): RehearsalStep {
  const name = 'below the security counter of the fuses';
  const untried = (words: string): RehearsalStep => ({ kind: 'attack', name, result: 'not-rehearsed', words });
  const above = (image.securityCounter ?? 0) + 1;
  if (image.securityCounter === undefined)
    return untried('the image has no counter: an older one can be installed again');
  if (above > counterCeiling(CHIPS[booting.chip].counter)) return untried('the counter is the last the fuses can hold');
  const ahead = new VirtualChip(chip.plan.board, judge);
  ahead.fuses.raiseSecurityCounter(above);
  ahead.provision(image.bytes);
  const { kind } = ahead.boot();
  return stepOf(name, kind === 'safe-mode' ? undefined : 'was booted');
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}
