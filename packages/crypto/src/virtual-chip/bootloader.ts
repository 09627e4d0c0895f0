import {
  type AcceptedMcubootImage,
  type McubootPublicKey,
  type McubootVerdict,
  verifyMcubootImage,
} from '../mcuboot/index.ts';
import { type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type { NorFlash } from './flash.ts';
import { type FuseBank, MAX_SECURITY_COUNTER } from './fuses.ts';
import type { SlotPlan } from './slots.ts';
import { Swap } from './swap.ts';
import { type SwapType, Trailers } from './trailer.ts';

/** What the bootloader did on its way, for whoever watches. */
export type BootEvent =
  | { readonly kind: 'swap'; readonly type: SwapType; readonly resumed: boolean }
  | { readonly kind: 'image-refused'; readonly slot: 'primary' | 'secondary'; readonly code: ErrorCode }
  | { readonly kind: 'counter-raised'; readonly from: number; readonly to: number };

/** The image that runs: the very bytes that were measured, and whether they are kept. */
export interface BootedImage {
  readonly kind: 'image';
  readonly image: AcceptedMcubootImage;
  readonly securityCounter: number;
  readonly state: 'test' | 'confirmed';
}

export type BootDecision = BootedImage | { readonly kind: 'none'; readonly code: ErrorCode };

export interface BootloaderParts {
  readonly flash: NorFlash;
  readonly fuses: FuseBank;
  readonly plan: SlotPlan;
  readonly keys: readonly McubootPublicKey[];
  readonly onEvent?: (event: BootEvent) => void;
}

type SlotName = 'primary' | 'secondary';

/**
 * The second boot stage: swaps as the trailers ask, reverts what was not confirmed, and names the image to run.
 *
 * @see MCUboot docs/design.md, swap types and the order of image_ok, copy_done and magic
 */
export class Bootloader {
  readonly #parts: BootloaderParts;
  readonly #trailers: Trailers;
  readonly #swap: Swap;

  constructor(parts: BootloaderParts) {
    this.#parts = parts;
    this.#trailers = new Trailers(parts.flash, parts.plan);
    this.#swap = new Swap(parts.flash, parts.plan, this.#trailers);
  }

  run(): BootDecision {
    const resumed = this.#resume();
    const swapped = this.#followRequest() || resumed;
    if (!swapped && this.#state() === 'test') this.#swapBack();
    const verdict = this.#verify('primary');
    if (verdict.kind === 'accepted') return this.#accept(verdict);
    // The other slot holds the only other copy; it has to pass every check itself.
    if (!this.#swapBack()) return { kind: 'none', code: verdict.code };
    const second = this.#verify('primary');
    return second.kind === 'accepted' ? this.#accept(second) : { kind: 'none', code: second.code };
  }

  #resume(): boolean {
    const type = this.#swap.resume();
    if (type !== undefined) this.#parts.onEvent?.({ kind: 'swap', type, resumed: true });
    return type !== undefined;
  }

  /** Swaps when the secondary slot asks for it and holds a good image; erases it when it does not. */
  #followRequest(): boolean {
    const { secondary } = this.#parts.plan;
    const { magicGood, swapType, imageOk } = this.#trailers.read(secondary);
    if (!magicGood) return false;
    const verdict = this.#verify('secondary');
    if (verdict.kind === 'refused') {
      this.#trailers.erase(secondary);
      this.#parts.flash.erase(secondary.firstSector);
      return false;
    }
    // A file padded by imgtool has the magic but no swap_info.
    this.#start(swapType ?? (imageOk ? 'permanent' : 'test'), verdict);
    return true;
  }

  /**
   * Puts the image of the secondary slot back, if it is good. The request is written first: while the primary trailer
   * is erased, a cut must not make the unconfirmed image look kept.
   */
  #swapBack(): boolean {
    const verdict = this.#verify('secondary');
    if (verdict.kind === 'refused') return false;
    this.#trailers.request(this.#parts.plan.secondary, 'revert');
    this.#start('revert', verdict);
    return true;
  }

  #start(type: SwapType, theirs: AcceptedMcubootImage): void {
    const ours = this.#verify('primary');
    this.#parts.onEvent?.({ kind: 'swap', type, resumed: false });
    this.#swap.start(type, {
      primary: ours.kind === 'accepted' ? ours.image.bytes.length : 0,
      secondary: theirs.image.bytes.length,
    });
  }

  #state(): 'test' | 'confirmed' {
    const { magicGood, swapType, imageOk } = this.#trailers.read(this.#parts.plan.primary);
    return magicGood && swapType === 'test' && !imageOk ? 'test' : 'confirmed';
  }

  #verify(name: SlotName): McubootVerdict {
    const { flash, fuses, plan, keys, onEvent } = this.#parts;
    const bytes = flash.read(plan[name].address, plan.capacity);
    const verdict = judge(bytes, keys, fuses.securityCounter);
    if (verdict.kind === 'refused') onEvent?.({ kind: 'image-refused', slot: name, code: verdict.code });
    return verdict;
  }

  /** Only the image that stays raises the counter, so the fuses never ask for more than what is installed. */
  #accept(image: AcceptedMcubootImage): BootedImage {
    const { fuses, onEvent } = this.#parts;
    const state = this.#state();
    const counter = image.securityCounter ?? 0;
    const from = fuses.securityCounter;
    if (state === 'confirmed' && counter > from) {
      fuses.raiseSecurityCounter(counter);
      onEvent?.({ kind: 'counter-raised', from, to: counter });
    }
    return { kind: 'image', image, securityCounter: counter, state };
  }
}

function judge(bytes: Uint8Array, keys: readonly McubootPublicKey[], minCounter: number): McubootVerdict {
  const verdict = verifyMcubootImage(bytes, keys, { minCounter, tail: 'slot' });
  if (verdict.kind === 'refused' || (verdict.securityCounter ?? 0) <= MAX_SECURITY_COUNTER) return verdict;
  const { spec, details, code } = new HoldfastError('device.counter_too_high', { counter: verdict.securityCounter });
  return { kind: 'refused', code, reason: spec.message, details };
}
