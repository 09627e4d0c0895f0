import { equalBytes, type ErrorCode } from '@holdfast/kernel';
import type { NorFlash } from './flash.ts';
import type { FuseBank } from './fuses.ts';
import type { AcceptedImage, ImageJudge, ImageVerdict } from './image-judge.ts';
import type { Slot, SlotPlan } from './slots.ts';
import type { SwapType } from './trailer.ts';

export type SlotName = 'primary' | 'secondary';

/** What the bootloader did on its way, for whoever watches. */
export type BootEvent =
  | { readonly kind: 'swap'; readonly type: SwapType; readonly resumed: boolean }
  | { readonly kind: 'overwrite'; readonly version: string }
  | { readonly kind: 'trial'; readonly slot: SlotName }
  | { readonly kind: 'given-up'; readonly slot: SlotName }
  | { readonly kind: 'image-refused'; readonly slot: SlotName; readonly code: ErrorCode }
  | { readonly kind: 'counter-raised'; readonly from: number; readonly to: number };

/** Whether an image that runs is kept; the next reset gives up one that is on trial and was not confirmed. */
export type ImageState = 'test' | 'confirmed';

/** The image that runs: the very bytes that were measured, and whether they are kept. */
export interface BootedImage {
  readonly kind: 'image';
  readonly slot: SlotName;
  readonly image: AcceptedImage;
  readonly securityCounter: number;
  readonly state: ImageState;
}

export type BootDecision = BootedImage | { readonly kind: 'none'; readonly code: ErrorCode };

/** What a strategy keeps its state in. */
export interface ChipMemory {
  readonly flash: NorFlash;
  readonly fuses: FuseBank;
  readonly plan: SlotPlan;
}

/** What one boot adds to it. */
export interface BootRun extends ChipMemory {
  readonly judge: ImageJudge;
  readonly onEvent?: ((event: BootEvent) => void) | undefined;
}

/** Where an update goes: the slot, and the address of its first byte. */
export interface UpdateTarget {
  readonly slot: Slot;
  readonly address: number;
}

/** A way to boot: what the boot code does at a reset, and the marks by which an application asks it for something. */
export interface Strategy {
  /** The slot that runs since the last reset, as an application knows from where it was started. */
  running: SlotName | undefined;
  /** One boot: finishes what a cut interrupted, follows requests, names the image that runs. */
  run(judge: ImageJudge, onEvent?: (event: BootEvent) => void): BootDecision;
  target(): UpdateTarget;
  /** Takes a request back, before its image is erased. */
  withdraw(): void;
  /** Asks for the image in the target slot to be booted: on trial, or for good. */
  request(type: 'test' | 'permanent'): void;
  /** Keeps the running image. */
  confirm(): void;
  /** Marks what the factory installed in the primary slot as kept. */
  install(): void;
}

/** Judges what stands in a slot, `offset` bytes from its start. */
export function judgeSlot(run: BootRun, name: SlotName, offset = 0): ImageVerdict {
  const { flash, plan } = run;
  return judgeBytes(run, name, flash.read(plan[name].address + offset, plan.capacity));
}

function judgeBytes(run: BootRun, name: SlotName, bytes: Uint8Array): ImageVerdict {
  const { fuses, plan } = run;
  const verdict = run.judge(bytes, { minCounter: fuses.securityCounter, address: plan[name].address });
  if (verdict.kind === 'accepted' && fuses.canHold(verdict.securityCounter ?? 0)) return verdict;
  // Once confirmed, a counter the fuses cannot hold would be forgotten.
  const code = verdict.kind === 'refused' ? verdict.code : 'device.counter_too_high';
  run.onEvent?.({ kind: 'image-refused', slot: name, code });
  return { kind: 'refused', code };
}

/**
 * The last step: judges the slot once more under the chip's launch rule, so that what runs is what was verified
 * (CVE-2024-28183 and every other check that was made on bytes read before), and raises the counter for an image that
 * stays, so that the fuses never ask for more than what is installed.
 */
export function launch(run: BootRun, name: SlotName, state: ImageState): BootDecision {
  const { flash, plan } = run;
  const { address } = plan[name];
  const rule = plan.board.launch;
  if (rule === 'lock') flash.lock(address, plan.capacity);
  const bytes = flash.read(address, plan.capacity);
  const verdict = judgeBytes(run, name, bytes);
  if (verdict.kind === 'refused') return notLaunched(flash, verdict.code);
  const { size } = verdict;
  if (rule !== 'copy' && !equalBytes(flash.read(address, size), bytes.subarray(0, size)))
    return notLaunched(flash, 'boot.hash_mismatch');
  const securityCounter = verdict.securityCounter ?? 0;
  if (state === 'confirmed') raiseCounter(run, securityCounter);
  return { kind: 'image', slot: name, image: verdict, securityCounter, state };
}

/** A slot that is not launched is not locked either: it may have to be repaired. */
function notLaunched(flash: NorFlash, code: ErrorCode): BootDecision {
  flash.reset();
  return { kind: 'none', code };
}

function raiseCounter({ fuses, onEvent }: BootRun, to: number): void {
  const from = fuses.securityCounter;
  if (to <= from) return;
  fuses.raiseSecurityCounter(to);
  onEvent?.({ kind: 'counter-raised', from, to });
}

export function otherSlot(name: SlotName): SlotName {
  return name === 'primary' ? 'secondary' : 'primary';
}
