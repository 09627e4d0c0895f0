import { type ErrorCode, HoldfastError } from '@holdfast/kernel';
import { decodeMcubootImage } from '@holdfast/wire/mcuboot';
import { layoutBoard, type LayoutOptions } from './boards.ts';
import type { BoardLayout, ChipId } from './chips.ts';
import { fill } from './copy.ts';
import { type Fault, PowerSupply } from './faults.ts';
import { NorFlash } from './flash.ts';
import { FuseBank } from './fuses.ts';
import type { ImageJudge } from './image-judge.ts';
import { planSlots, type SlotPlan } from './slots.ts';
import { createStrategy } from './strategies.ts';
import type { BootedImage, BootEvent, SlotName, Strategy } from './strategy.ts';
import { UpdateSlot } from './update-slot.ts';

/** How one boot ended. */
export type ChipVerdict =
  | (Omit<BootedImage, 'kind'> & { readonly kind: 'running'; readonly events: readonly BootEvent[] })
  /** Nothing boots; `code` says what is wrong with the image that was tried last. */
  | { readonly kind: 'safe-mode'; readonly code: ErrorCode; readonly events: readonly BootEvent[] }
  /** The fault plan took the power in this operation. */
  | { readonly kind: 'power-lost'; readonly operation: number; readonly events: readonly BootEvent[] };

/** How a download into the other slot ended. */
export type StageVerdict =
  | { readonly kind: 'staged' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  | { readonly kind: 'power-lost'; readonly operation: number };

/** State of a chip between two operations. */
export interface ChipState {
  readonly flash: Uint8Array;
  readonly fuses: Uint8Array;
  readonly running: SlotName | undefined;
}

export interface VirtualChipOptions extends LayoutOptions {
  /** The boot code's verify step. */
  readonly judge: ImageJudge;
  /** What the fuses hold when the chip leaves the factory; 0 unless given. */
  readonly securityCounter?: number;
}

/**
 * A chip with its boot code and without an application: driven a step at a time, each under a plan of faults.
 *
 * Nothing in it waits, looks at a clock or throws dice; the same steps give the same verdicts.
 */
export class VirtualChip {
  readonly supply = new PowerSupply();
  readonly flash: NorFlash;
  readonly fuses: FuseBank;
  readonly plan: SlotPlan;
  readonly slot: UpdateSlot;
  readonly #strategy: Strategy;
  readonly #judge: ImageJudge;

  constructor(board: BoardLayout, judge: ImageJudge) {
    this.plan = planSlots(board);
    this.flash = new NorFlash(board.geometry, this.supply);
    this.fuses = new FuseBank(this.supply, board.counter);
    this.#strategy = createStrategy(this);
    this.#judge = judge;
    this.slot = new UpdateSlot(this, this.#strategy);
  }

  get securityCounter(): number {
    return this.fuses.securityCounter;
  }

  /** Flash and fuse operations since the last step began. */
  get operations(): number {
    return this.supply.operations;
  }

  /** The factory step: the image stands in the first slot and is kept. @throws `device.image_too_large` */
  provision(image: Uint8Array): void {
    const bytes = withoutPadding(image);
    const { capacity, primary } = this.plan;
    if (bytes.length > capacity) throw new HoldfastError('device.image_too_large', { size: bytes.length, capacity });
    fill(this.flash, primary.address, bytes);
    this.#strategy.install();
  }

  /** What an update client does up to the reset: the image goes to the other slot, and is asked for. */
  stage(image: Uint8Array, faults: readonly Fault[] = [], type: 'test' | 'permanent' = 'test'): StageVerdict {
    const bytes = withoutPadding(image);
    try {
      const outcome = this.under(faults, () => {
        this.slot.prepare(bytes.length);
        this.download(bytes);
        this.#strategy.request(type);
      });
      return outcome === 'done' ? { kind: 'staged' } : { kind: 'power-lost', operation: this.operations };
    } catch (error) {
      if (!HoldfastError.is(error)) throw error;
      return { kind: 'refused', code: error.code };
    }
  }

  /** Keeps the image that runs. @returns `cut` when the plan took the power */
  confirm(faults: readonly Fault[] = []): 'done' | 'cut' {
    return this.under(faults, () => this.slot.confirm());
  }

  /** Power on, reset and watchdog alike. */
  boot(faults: readonly Fault[] = []): ChipVerdict {
    const events: BootEvent[] = [];
    let verdict: ChipVerdict | undefined;
    const outcome = this.under(faults, () => {
      verdict = this.run(events);
    });
    if (outcome === 'cut' || verdict === undefined) return { kind: 'power-lost', operation: this.operations, events };
    return verdict;
  }

  /** Runs until the plan cuts the power, if it does; after it power is back. */
  under(faults: readonly Fault[], action: () => void): 'done' | 'cut' {
    this.supply.setPlan(faults);
    try {
      action();
      return 'done';
    } catch (error) {
      if (!HoldfastError.is(error, 'device.power_cut')) throw error;
      return 'cut';
    } finally {
      this.supply.restore();
    }
  }

  save(): ChipState {
    return { flash: this.flash.snapshot(), fuses: this.fuses.snapshot(), running: this.#strategy.running };
  }

  load(state: ChipState): void {
    this.flash.reset();
    this.flash.restoreSnapshot(state.flash);
    this.fuses.restoreSnapshot(state.fuses);
    this.#strategy.running = state.running;
  }

  /** What a download writes into a slot that was prepared for it. */
  download(image: Uint8Array): void {
    fill(this.flash, this.#strategy.target().address, image);
  }

  /** One boot under the plan that is set. @throws `device.power_cut` as it says */
  run(events: BootEvent[] = []): ChipVerdict {
    this.flash.reset();
    try {
      const decision = this.#strategy.run(this.#judge, (event) => events.push(event));
      if (decision.kind === 'none') return { kind: 'safe-mode', code: decision.code, events };
      return { ...decision, kind: 'running', events };
    } catch (error) {
      // A sector that fails in the middle of a swap leaves nothing whole to boot.
      if (!HoldfastError.is(error, 'device.flash_failed')) throw error;
      return { kind: 'safe-mode', code: error.code, events };
    }
  }
}

/**
 * A chip fresh from the factory.
 *
 * @throws `boot.bad_option` for a strategy the chip does not have; `device.fuse_refused` for a counter it cannot hold
 */
export function createVirtualChip(
  chip: ChipId,
  { judge, securityCounter = 0, ...layout }: VirtualChipOptions,
): VirtualChip {
  const made = new VirtualChip(layoutBoard(chip, layout), judge);
  made.fuses.raiseSecurityCounter(securityCounter);
  return made;
}

/** A file padded to its slot by a signer's tool brings a trailer, which the chip writes itself. */
function withoutPadding(image: Uint8Array): Uint8Array {
  try {
    return decodeMcubootImage(image, { headerFilling: true, vendorTypes: [PSOC64_SLOT_ID] }).bytes;
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    // Not for this function to judge.
    return image;
  }
}

const PSOC64_SLOT_ID = 0x81;
