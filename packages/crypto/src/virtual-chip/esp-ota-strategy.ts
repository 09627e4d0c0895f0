import type { ErrorCode } from '@holdfast/kernel';
import {
  decodeEspOtaData,
  encodeEspOtaData,
  type EspOtaRecord,
  type EspOtaState,
  OTA_DATA_LENGTH,
} from '@holdfast/wire/esp32';
import type { ImageJudge } from './image-judge.ts';
import {
  type BootDecision,
  type BootEvent,
  type BootRun,
  type ChipMemory,
  launch,
  otherSlot,
  type SlotName,
  type Strategy,
  type UpdateTarget,
} from './strategy.ts';

const SECTOR = OTA_DATA_LENGTH / 2;
const SLOTS: readonly [SlotName, SlotName] = ['primary', 'secondary'];
const GIVEN_UP: ReadonlySet<EspOtaState> = new Set<EspOtaState>(['invalid', 'aborted']);

/** A record and the sector it stands in. */
interface Placed extends EspOtaRecord {
  readonly sector: 0 | 1;
}

/**
 * The ESP-IDF bootloader with rollback and anti-rollback: the OTA data names the slot, a new application becomes
 * pending-verify before it first runs and aborted when it comes back so.
 *
 * Where ESP-IDF raises the eFuses from a description it has not verified yet, here the image is verified first.
 *
 * @see ESP-IDF components/bootloader_support/src/bootloader_utility.c, components/app_update/esp_ota_ops.c
 */
export class EspOtaStrategy implements Strategy {
  readonly #chip: ChipMemory;
  readonly #at: number;
  running: SlotName | undefined;

  constructor(chip: ChipMemory) {
    this.#chip = chip;
    this.#at = chip.plan.map.start(chip.plan.board.records?.firstSector ?? 0);
  }

  run(judge: ImageJudge, onEvent?: (event: BootEvent) => void): BootDecision {
    const run: BootRun = { ...this.#chip, judge, onEvent };
    this.running = undefined;
    this.#abortUnproven(run);
    if (this.#records().length === 0) this.#put({ sequence: 1, state: 'valid', sector: 0 });
    let code: ErrorCode = 'boot.bad_magic';
    for (const slot of this.#order()) {
      const decision = this.#start(run, slot);
      if (decision.kind === 'image') {
        this.running = slot;
        return decision;
      }
      ({ code } = decision);
    }
    return { kind: 'none', code };
  }

  target(): UpdateTarget {
    const slot = this.#chip.plan[this.#target];
    return { slot, address: slot.address };
  }

  /** The record of the slot is left: without its image the bootloader passes it over. */
  withdraw(): void {}

  request(type: 'test' | 'permanent'): void {
    const newest = this.#newest();
    const index = SLOTS.indexOf(this.#target);
    let sequence = (newest?.sequence ?? 0) + 1;
    while ((sequence - 1) % SLOTS.length !== index) sequence++;
    this.#put({ sequence, state: type === 'test' ? 'new' : 'valid', sector: newest?.sector === 0 ? 1 : 0 });
  }

  /** esp_ota_mark_app_valid_cancel_rollback */
  confirm(): void {
    const record = this.#recordOf(this.running);
    if (record?.state === 'pending-verify') this.#put({ ...record, state: 'valid' });
  }

  install(): void {}

  get #target(): SlotName {
    return otherSlot(this.running ?? this.#order()[0] ?? 'primary');
  }

  #abortUnproven({ onEvent }: BootRun): void {
    for (const record of this.#records()) {
      if (record.state !== 'pending-verify') continue;
      this.#put({ ...record, state: 'aborted' });
      onEvent?.({ kind: 'given-up', slot: slotOf(record) });
    }
  }

  #start(run: BootRun, slot: SlotName): BootDecision {
    const record = this.#recordOf(slot);
    if (record?.state === 'new') {
      this.#put({ ...record, state: 'pending-verify' });
      run.onEvent?.({ kind: 'trial', slot });
    }
    return launch(run, slot, record?.state === 'valid' ? 'confirmed' : 'test');
  }

  /** The newest record's slot; then whatever else boots. */
  #order(): readonly SlotName[] {
    const newest = this.#newest();
    const first = newest === undefined ? 'primary' : slotOf(newest);
    return [first, otherSlot(first)];
  }

  #newest(): Placed | undefined {
    return this.#usable()[0];
  }

  #recordOf(slot: SlotName | undefined): Placed | undefined {
    return this.#usable().find((record) => slotOf(record) === slot);
  }

  #usable(): readonly Placed[] {
    const usable = this.#records().filter(({ state }) => !GIVEN_UP.has(state));
    return usable.toSorted((a, b) => b.sequence - a.sequence);
  }

  #records(): readonly Placed[] {
    const [first, second] = decodeEspOtaData(this.#chip.flash.read(this.#at, OTA_DATA_LENGTH));
    const place = (record: EspOtaRecord | undefined, sector: 0 | 1): readonly Placed[] =>
      record === undefined ? [] : [{ ...record, sector }];
    return [...place(first, 0), ...place(second, 1)];
  }

  /** In place, as the bootloader does: a cut in between leaves the other record to rule. */
  #put({ sector, ...record }: Placed): void {
    const { flash, plan } = this.#chip;
    const length = 32;
    const bytes = encodeEspOtaData([record, undefined]).subarray(0, length);
    flash.erase((plan.board.records?.firstSector ?? 0) + sector);
    flash.write(this.#at + sector * SECTOR, bytes);
  }
}

function slotOf({ sequence }: EspOtaRecord): SlotName {
  return SLOTS[(sequence - 1) % SLOTS.length] ?? 'primary';
}
