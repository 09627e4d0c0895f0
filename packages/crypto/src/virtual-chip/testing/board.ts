import { type McubootPublicKey, mcubootPublicKey } from '../../mcuboot/index.ts';
import { HoldfastError } from '@holdfast/kernel';
import { type BootDecision, Bootloader, type BootEvent } from '../bootloader.ts';
import { type Fault, PowerSupply } from '../faults.ts';
import { NorFlash } from '../flash.ts';
import { FuseBank } from '../fuses.ts';
import { BOARDS, type BoardName } from '../geometry.ts';
import { planSlots, type SlotPlan } from '../slots.ts';
import { padTo } from '../swap.ts';
import { UpdateSlot } from '../update-slot.ts';
import { makeTestKey, type TestKey } from './images.ts';

/** State of a board between two operations. */
export interface BoardState {
  readonly flash: Uint8Array;
  readonly fuses: Uint8Array;
}

/** A board with its bootloader and without the rest of a device, for tests of what power cuts and rot do. */
export class TestBoard {
  readonly supply = new PowerSupply();
  readonly flash: NorFlash;
  readonly fuses = new FuseBank(this.supply);
  readonly plan: SlotPlan;
  readonly slot: UpdateSlot;
  readonly events: BootEvent[] = [];
  readonly #keys: readonly McubootPublicKey[];

  constructor(board: BoardName, key: TestKey = makeTestKey()) {
    this.flash = new NorFlash(BOARDS[board].geometry, this.supply);
    this.plan = planSlots(BOARDS[board]);
    this.slot = new UpdateSlot(this.flash, this.plan);
    this.#keys = [mcubootPublicKey(key.privateKey)];
  }

  /** What the factory does: an image in the primary slot, no trailer. */
  install(image: Uint8Array): void {
    this.flash.write(this.plan.primary.address, padTo(image, this.flash.geometry.writeUnit));
  }

  /** What the update client does up to the reset. */
  stage(image: Uint8Array): void {
    this.slot.prepare(image.length);
    const half = Math.ceil(image.length / 2 / 8) * 8;
    this.slot.write(0, image.subarray(0, half));
    this.slot.write(half, image.subarray(half));
    this.slot.requestTest();
  }

  boot(): BootDecision {
    const { flash, fuses, plan } = this;
    return new Bootloader({ flash, fuses, plan, keys: this.#keys, onEvent: (event) => this.events.push(event) }).run();
  }

  /** The version that boots, with `?` while on trial, or the code when none does. */
  bootVersion(): string {
    const decision = this.boot();
    if (decision.kind === 'none') return decision.code;
    const { major, minor, revision } = decision.image.image.header.version;
    return `${major}.${minor}.${revision}${decision.state === 'test' ? '?' : ''}`;
  }

  /** Runs until the plan cuts the power, if it does. */
  underFaults(faults: readonly Fault[], action: () => void): 'done' | 'cut' {
    this.supply.setPlan(faults);
    try {
      action();
      return 'done';
    } catch (error) {
      if (!HoldfastError.is(error, 'device.power_cut')) throw error;
      return 'cut';
    } finally {
      this.supply.setPlan([]);
      this.supply.restore();
    }
  }

  save(): BoardState {
    return { flash: this.flash.snapshot(), fuses: this.fuses.snapshot() };
  }

  load(state: BoardState): void {
    this.flash.restoreSnapshot(state.flash);
    this.fuses.restoreSnapshot(state.fuses);
  }
}
