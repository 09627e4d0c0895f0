import { ByteReader, ByteWriter, equalBytes, type ErrorCode } from '@holdfast/kernel';
import { sha256 } from '../primitives/hash.ts';
import { padTo } from './flash.ts';
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

/** What the boot loader remembers of a slot. */
interface SlotState {
  readonly priority: number;
  /** Boots it still gets before somebody calls it good. */
  readonly attempts: number;
  readonly isGood: boolean;
}

type SlotStates = Readonly<Record<SlotName, SlotState>>;

interface Kept {
  readonly generation: number;
  readonly sector: 0 | 1;
  readonly states: SlotStates;
}

const ATTEMPTS = 3;
const ACTIVE = 20;
const PASSIVE = 10;
const RECORD = 12;

/** As the factory leaves a device: the first slot is good, the second has nothing to boot. */
const FRESH: SlotStates = {
  primary: { priority: ACTIVE, attempts: ATTEMPTS, isGood: true },
  secondary: { priority: PASSIVE, attempts: 0, isGood: false },
};

/**
 * Two root slots with priorities and boot attempts, as barebox's bootchooser and RAUC keep them: the good slot of the
 * highest priority boots, a new one gets three attempts to be called good.
 *
 * The state has two copies that are written in turns, each with a generation and a digest.
 *
 * @see barebox Documentation/user/bootchooser.rst; RAUC docs, mark-good, mark-bad, mark-active
 */
export class LinuxAbStrategy implements Strategy {
  readonly #chip: ChipMemory;
  running: SlotName | undefined;

  constructor(chip: ChipMemory) {
    this.#chip = chip;
  }

  run(judge: ImageJudge, onEvent?: (event: BootEvent) => void): BootDecision {
    const run: BootRun = { ...this.#chip, judge, onEvent };
    this.running = undefined;
    let code: ErrorCode = 'boot.bad_magic';
    for (let slot = this.#choose(); slot !== undefined; slot = this.#choose()) {
      const decision = this.#start(run, slot);
      if (decision.kind === 'image') {
        this.running = slot;
        return decision;
      }
      ({ code } = decision);
      this.#change(slot, { attempts: 0, isGood: false });
      onEvent?.({ kind: 'given-up', slot });
    }
    return { kind: 'none', code };
  }

  target(): UpdateTarget {
    const slot = this.#chip.plan[this.#target];
    return { slot, address: slot.address };
  }

  /** mark-bad, before a byte of the slot is erased */
  withdraw(): void {
    this.#change(this.#target, { attempts: 0, isGood: false });
  }

  /** mark-active */
  request(type: 'test' | 'permanent'): void {
    const states = this.#read().states;
    const target = this.#target;
    const active: SlotState = { priority: ACTIVE, attempts: ATTEMPTS, isGood: type === 'permanent' };
    const passive: SlotState = { ...states[otherSlot(target)], priority: PASSIVE };
    this.#write(
      target === 'primary' ? { primary: active, secondary: passive } : { primary: passive, secondary: active },
    );
  }

  /** mark-good */
  confirm(): void {
    if (this.running === undefined || this.#read().states[this.running].isGood) return;
    this.#change(this.running, { attempts: ATTEMPTS, isGood: true });
  }

  install(): void {}

  get #target(): SlotName {
    return otherSlot(this.running ?? this.#choose() ?? 'primary');
  }

  #choose(): SlotName | undefined {
    const { states } = this.#read();
    const names: readonly SlotName[] = ['primary', 'secondary'];
    const bootable = names.filter((name) => states[name].attempts > 0);
    return bootable.sort((a, b) => states[b].priority - states[a].priority)[0];
  }

  /** An attempt is spent before the slot is tried. */
  #start(run: BootRun, slot: SlotName): BootDecision {
    const { isGood, attempts } = this.#read().states[slot];
    if (isGood) return launch(run, slot, 'confirmed');
    this.#change(slot, { attempts: attempts - 1 });
    run.onEvent?.({ kind: 'trial', slot });
    return launch(run, slot, 'test');
  }

  #change(slot: SlotName, change: Partial<SlotState>): void {
    const { states } = this.#read();
    this.#write({ ...states, [slot]: { ...states[slot], ...change } });
  }

  #read(): Kept {
    const found = ([0, 1] as const).flatMap((sector): readonly Kept[] => {
      const { flash } = this.#chip;
      const bytes = flash.read(flash.map.start(this.#sector(sector)), RECORD + 32);
      const kept = decodeStates(bytes);
      return kept === undefined ? [] : [{ ...kept, sector }];
    });
    const [newest] = found.sort((a, b) => b.generation - a.generation);
    return newest ?? { generation: 0, sector: 1, states: FRESH };
  }

  #write(states: SlotStates): void {
    const { flash } = this.#chip;
    const { generation, sector } = this.#read();
    const next = this.#sector(sector === 0 ? 1 : 0);
    flash.erase(next);
    flash.write(flash.map.start(next), padTo(encodeStates(generation + 1, states), flash.geometry));
  }

  #sector(index: 0 | 1): number {
    return (this.#chip.plan.board.records?.firstSector ?? 0) + index;
  }
}

function encodeStates(generation: number, states: SlotStates): Uint8Array {
  const writer = new ByteWriter(RECORD + 32).u32le(generation);
  for (const { priority, attempts, isGood } of [states.primary, states.secondary])
    writer
      .u8(priority)
      .u8(attempts)
      .u8(isGood ? 1 : 0)
      .u8(0);
  const body = writer.finish();
  return new ByteWriter(RECORD + 32).bytes(body).bytes(sha256(body)).finish();
}

function decodeStates(bytes: Uint8Array): Omit<Kept, 'sector'> | undefined {
  if (!equalBytes(sha256(bytes.subarray(0, RECORD)), bytes.subarray(RECORD))) return undefined;
  const reader = new ByteReader(bytes);
  const generation = reader.u32le('generation');
  const slot = (): SlotState => {
    const [priority, attempts, good] = [reader.u8('priority'), reader.u8('attempts'), reader.u8('good')];
    reader.skip(1, 'filling');
    return { priority, attempts, isGood: good === 1 };
  };
  return { generation, states: { primary: slot(), secondary: slot() } };
}
