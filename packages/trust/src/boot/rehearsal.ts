import { type CutTrial, type NoTrial, prepareCutTrial, tryCuts, VirtualChip } from '@holdfast/crypto/virtual-chip';
import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { ImageFormatName, PolicyOf } from './formats.ts';
import type { AcceptedImage } from './image-format.ts';
import { ImageVerifier } from './image-verifier.ts';
import { rehearseAttacks } from './rehearsal-attacks.ts';
import { drawCuts, type PlannedCut } from './rehearsal-cuts.ts';
import { capacityOf, fittedBoard } from './rehearsal-layout.ts';
import { isUnpacked, linuxDevice, standIn } from './rehearsal-linux.ts';
import { type RehearsalReport, type RehearsalStep, resultOf } from './rehearsal-report.ts';
import {
  bootCode,
  type Booting,
  bootingOf,
  type BootingWish,
  isLinkedToSlot,
  REHEARSAL_WORLDS,
  type RehearsalWorld,
} from './rehearsal-world.ts';

/** A firmware in the field. */
export interface FieldFirmware {
  /** As the report names it: a version, with the devices it stands for. */
  readonly name: string;
  /** Undefined when only its measurement is known. */
  readonly image: Uint8Array | undefined;
  /** SubjectPublicKeyInfo of the keys that the boot code of its devices holds. */
  readonly keys: readonly Uint8Array[];
}

/** What is rehearsed; plain data, so that it can be sent to another thread. */
export interface RehearsalRequest extends BootingWish {
  readonly format: ImageFormatName;
  readonly image: Uint8Array;
  /** SubjectPublicKeyInfo of the keys the product's releases may be signed with. */
  readonly keys: readonly Uint8Array[];
  /** Updated from itself when empty, as the factory's next device is. */
  readonly from: readonly FieldFirmware[];
  /** Bytes; the chip's own slots unless given. */
  readonly slotSize?: number | undefined;
  /** Power cuts for each firmware in the field; `all`: one at every flash operation, confirmed or not. */
  readonly cuts: number | 'all';
  /** No further cut is made after so long. */
  readonly seconds: number;
  readonly seed: number;
}

export interface RehearsalPorts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Told after every step and, within one, after some cuts. */
  readonly onProgress?: ((progress: RehearsalProgress) => void) | undefined;
}

export interface RehearsalProgress {
  readonly step: string;
  /** Of all cuts, those made. */
  readonly cuts: number;
}

/** Larger images take more memory than a rehearsal may: four times their size. */
const MAX_IMAGE = 16 * 1024 * 1024;

/**
 * Boots an image in the virtual chip of its product, from each firmware in the field, with the power cut at sampled
 * flash operations; and sends the same chip what it must refuse.
 *
 * @throws `boot.bad_option` for a chip or strategy that is not there, `boot.unsupported_key`
 */
export async function rehearse(request: RehearsalRequest, ports: RehearsalPorts): Promise<RehearsalReport> {
  return new Rehearsal(request, ports).run();
}

class Rehearsal {
  readonly #request: RehearsalRequest;
  readonly #ports: RehearsalPorts;
  readonly #steps: RehearsalStep[] = [];
  readonly #began: number;
  #booting: Booting | undefined;
  #cuts = 0;

  constructor(request: RehearsalRequest, ports: RehearsalPorts) {
    this.#request = request;
    this.#ports = ports;
    this.#began = ports.clock.monotonicMs();
  }

  async run(): Promise<RehearsalReport> {
    const { format, image, keys } = this.#request;
    const verdict = new ImageVerifier(format, keys).verify(image, PLAIN);
    if (verdict.kind === 'refused') {
      const { code, reason: words } = verdict;
      this.#add({ kind: 'image', name: 'verified', result: 'refused', code, words });
    } else {
      this.#add({ kind: 'image', name: 'verified', result: 'passed', words: `version ${verdict.version}` });
      await this.#boot(verdict);
    }
    return this.#report();
  }

  async #boot(image: AcceptedImage): Promise<void> {
    const { format } = this.#request;
    if (isUnpacked(format)) return this.#linux(image);
    const world = REHEARSAL_WORLDS[format];
    if (world === undefined) return this.#untried('no virtual chip boots this format: it was verified and no more');
    this.#booting = bootingOf(world, image, this.#request);
    if (image.bytes.length > MAX_IMAGE)
      return this.#untried(`larger than ${MAX_IMAGE} bytes: it was verified and no more`);
    if (isLinkedToSlot(format, image.bytes))
      return this.#untried('it runs at one address of the real chip alone: it was verified and no more');
    if (!this.#fits(image, this.#booting)) return;
    await this.#updates(image, { world, booting: this.#booting });
  }

  /** The change of slots is rehearsed; what a bundle unpacks to is not there to be run. */
  #linux(image: AcceptedImage): void {
    const { format, from, keys, seconds } = this.#request;
    this.#booting = { chip: 'linux', strategy: 'linux-ab' };
    const field = from.length === 0 ? [{ name: 'itself', image: image.bytes, keys }] : from;
    const share = (seconds * 1000) / field.length;
    for (const [index, { name, image: before, keys: held }] of field.entries()) {
      const verifier = new ImageVerifier(format, held);
      const accepts = verifier.verify(image.bytes, PLAIN);
      const old = before && verifier.verify(before, PLAIN);
      if (accepts.kind === 'refused') {
        const { code, reason: words } = accepts;
        this.#add({ kind: 'update', name, result: 'refused', code, words });
      } else if (old === undefined || old.kind === 'refused') {
        this.#add({ kind: 'update', name, result: 'not-rehearsed', words: NOT_KEPT });
      } else {
        const trial = prepared(linuxDevice(), { from: standIn(old), to: standIn(image) });
        if (trial.kind === 'trial') this.#cutPower(trial.trial, name, this.#began + share * (index + 1));
        else this.#add({ kind: 'update', name, ...trial.refusal });
      }
    }
    const words = 'a stand-in was in the slots: what the bundle unpacks to was not run';
    this.#add({ kind: 'image', name: 'content', result: 'not-rehearsed', words });
  }

  #fits({ bytes }: AcceptedImage, booting: Booting): boolean {
    const { slotSize, chip } = this.#request;
    const room = Math.min(
      capacityOf(booting, slotSize),
      // The product's slots are believed unless it says which chip it is.
      slotSize === undefined || chip !== undefined ? capacityOf(booting, undefined) : Number.POSITIVE_INFINITY,
    );
    const fits = bytes.length <= room;
    const words = `${bytes.length} bytes, room for ${room}`;
    this.#add(
      fits
        ? { kind: 'image', name: 'fits the slot', result: 'passed', words }
        : { kind: 'image', name: 'fits the slot', result: 'refused', code: 'boot.image_too_large', words },
    );
    return fits;
  }

  async #updates(
    image: AcceptedImage,
    at: { readonly world: RehearsalWorld; readonly booting: Booting },
  ): Promise<void> {
    const { from, keys, seconds } = this.#request;
    const field = from.length === 0 ? [{ name: 'itself', image: image.bytes, keys }] : from;
    const share = (seconds * 1000) / field.length;
    let attacked = false;
    for (const [index, firmware] of field.entries()) {
      const { trial, judge } = this.#update(image, firmware, at);
      if (trial === undefined || judge === undefined) continue;
      this.#cutPower(trial, firmware.name, this.#began + share * (index + 1));
      if (attacked) continue;
      attacked = true;
      for await (const step of rehearseAttacks(trial, { image, judge, ...at })) this.#add(step);
    }
  }

  #update(
    image: AcceptedImage,
    firmware: FieldFirmware,
    at: { readonly world: RehearsalWorld; readonly booting: Booting },
  ) {
    const { name, image: before, keys } = firmware;
    const { world, booting } = at;
    if (before === undefined) {
      this.#add({ kind: 'update', name, result: 'not-rehearsed', words: NOT_KEPT });
      return {};
    }
    const board = fittedBoard(booting, Math.max(before.length, image.bytes.length));
    const judge = bootCode(world, { keys, chip: booting.chip, counted: image.securityCounter !== undefined });
    const trial = prepared(new VirtualChip(board, judge), { from: before, to: image.bytes });
    if (trial.kind === 'trial') return { trial: trial.trial, judge };
    this.#add({ kind: 'update', name, ...trial.refusal });
    return {};
  }

  #cutPower(trial: CutTrial, name: string, until: number): void {
    const { clock, onProgress } = this.#ports;
    const { cuts: wanted, seed } = this.#request;
    const { operations } = trial;
    let cuts = 0;
    let planned = 0;
    for (const cut of drawCuts({ operations, wanted, seed })) {
      planned++;
      const { problem, cuts: made } = tryCuts(trial, cut);
      cuts += made;
      this.#cuts += made;
      if (problem !== undefined) {
        const words = `${problem}: ${wordsOf(cut)}`;
        this.#add({ kind: 'update', name, result: 'refused', code: 'boot.rehearsal_refused', words, cuts, operations });
        return;
      }
      if (planned % PROGRESS_EVERY === 0) onProgress?.({ step: name, cuts: this.#cuts });
      if (clock.monotonicMs() > until) break;
    }
    const words = `boots, is kept, and survives ${cuts} power cuts`;
    this.#add({ kind: 'update', name, result: 'passed', words, cuts, operations });
  }

  #untried(words: string): void {
    this.#add({ kind: 'update', name: 'booted', result: 'not-rehearsed', words });
  }

  #add(step: RehearsalStep): void {
    this.#steps.push(step);
    this.#ports.onProgress?.({ step: step.name, cuts: this.#cuts });
  }

  #report(): RehearsalReport {
    const { format, seed } = this.#request;
    return {
      format,
      chip: this.#booting?.chip,
      strategy: this.#booting?.strategy,
      result: resultOf(this.#steps),
      steps: this.#steps,
      cuts: this.#cuts,
      seed,
      seconds: Math.round(this.#ports.clock.monotonicMs() - this.#began) / 1000,
    };
  }
}

const PROGRESS_EVERY = 8;
const NOT_KEPT = 'its image is not kept here, or is none that its devices accept';
const PLAIN: PolicyOf<ImageFormatName> = {};

type Prepared =
  | { readonly kind: 'trial'; readonly trial: CutTrial }
  | { readonly kind: 'none'; readonly refusal: Pick<RehearsalStep, 'result' | 'code' | 'words'> };

const STEPS: Readonly<Record<NoTrial['step'], string>> = {
  provision: 'the firmware in the field does not boot with the keys of its devices',
  stage: 'the download is refused',
  'first-boot': 'the device does not boot it',
  'second-boot': 'the device does not keep it',
};

function prepared(chip: VirtualChip, files: { readonly from: Uint8Array; readonly to: Uint8Array }): Prepared {
  try {
    const trial = prepareCutTrial(chip, files);
    if (!('kind' in trial)) return { kind: 'trial', trial };
    const { step, verdict } = trial;
    const code = 'code' in verdict ? verdict.code : refusalBy(chip, files.to);
    // A firmware that cannot be put on the chip says nothing about the release.
    const result = step === 'provision' ? 'not-rehearsed' : 'refused';
    return { kind: 'none', refusal: { result, code, words: STEPS[step] } };
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { kind: 'none', refusal: { result: 'refused', code: error.code, words: error.message } };
  }
}

/** The device goes on with its old firmware: why, its boot code says on the way. */
function refusalBy(chip: VirtualChip, image: Uint8Array): string {
  chip.stage(image);
  const refusal = chip.boot().events.find((event) => event.kind === 'image-refused');
  return refusal?.code ?? 'boot.rehearsal_refused';
}

function wordsOf({ confirms, plans }: PlannedCut): string {
  const [fault] = plans[0] ?? [];
  const where = fault !== undefined && 'operation' in fault ? fault.operation : 0;
  return `${fault?.kind ?? 'cut'} at operation ${where}, ${confirms ? 'confirmed' : 'not confirmed'}`;
}
