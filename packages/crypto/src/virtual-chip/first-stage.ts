import { ByteReader, ByteWriter, equalBytes, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type { LayerDescriptor } from '@holdfast/wire/eat';
import type { DiceMode } from '@holdfast/wire/x509';
import type { Attester } from '../evidence/index.ts';
import { type McubootPublicKey, mcubootPublicKey } from '../mcuboot/index.ts';
import { sha256 } from '../primitives/hash.ts';
import { decodeBootProgram } from './boot-program.ts';
import type { FuseBank } from './fuses.ts';
import { type AcceptedImage, mcubootJudge } from './image-judge.ts';
import {
  attesterOf,
  firstStageIdentity,
  fixedCode,
  type LayerIdentity,
  type LayerStep,
  type MeasuredCode,
  nextIdentity,
} from './identity-layers.ts';
import { type BackupRegisters, MAX_BOOT_ATTEMPTS } from './registers.ts';
import type { SlotPlan } from './slots.ts';
import type { BootDecision, BootEvent, ChipMemory, Strategy } from './strategy.ts';

/** The parts of the chip that the stages before the application use. */
export interface ChipParts extends ChipMemory {
  readonly registers: BackupRegisters;
  readonly strategy: Strategy;
  readonly onEvent?: (event: BootEvent) => void;
}

interface Running {
  /** Signs evidence; its chain says what was measured. */
  readonly attester: Attester;
  readonly descriptor: LayerDescriptor;
  readonly debug: 'enabled' | 'disabled-permanently';
  /** 32 bytes that stay the same over updates signed by the same key; for sealing the application's own data. */
  readonly sealingSecret: Uint8Array;
}

/** The application runs: `payload` are the very bytes that were measured, not the flash they came from. */
interface RunningApplication extends Running {
  readonly kind: 'application';
  readonly payload: Uint8Array;
}

/** No application code runs; what is left can prove itself and take an update. */
interface RunningSafeMode extends Running {
  readonly kind: 'safe-mode';
  /** Why nothing boots. */
  readonly code: ErrorCode;
}

export type BootResult = RunningApplication | RunningSafeMode;

/** The key record: length (u16le) and SubjectPublicKeyInfo, whose SHA-256 the fuses hold. */
export function encodeKeyRecord(spki: Uint8Array): Uint8Array {
  return new ByteWriter().u16le(spki.length).bytes(spki).finish();
}

/**
 * The immutable first stage and all that it starts, up to the application.
 *
 * @throws `device.power_cut` as the fault plan says; nothing else
 */
export function bootChip(chip: ChipParts): BootResult {
  const { fuses, registers } = chip;
  fuses.reset();
  chip.flash.reset();
  const bootCount = registers.countBoot();
  const root = firstStageIdentity(fuses.read('deviceSecret'));
  // Whatever is measured from here on runs without the fuse secret.
  fuses.lockSecret();
  const frame: Frame = { chip, bootCount, mode: modeOf(fuses) };
  const checked = checkBootloader(chip);
  if (checked.kind === 'refused') return firstStageRecovery(frame, root, checked.code);
  const { image, authority, keys } = checked;
  const code = measured(image, authority);
  const descriptor = describe(frame, 'bootloader', { version: image.version, counter: 0, state: 'confirmed' });
  const identity = nextIdentity(root, { ...code, descriptor, mode: frame.mode }, 'layer');
  return runBootloader(frame, identity, code, keys);
}

interface Frame {
  readonly chip: ChipParts;
  readonly bootCount: number;
  readonly mode: DiceMode;
}

interface CheckedBootloader {
  readonly kind: 'accepted';
  readonly image: AcceptedImage;
  readonly authority: Uint8Array;
  readonly keys: readonly McubootPublicKey[];
}

type BootloaderVerdict = CheckedBootloader | { readonly kind: 'refused'; readonly code: ErrorCode };

/** Judges the bytes that will run: one read of the flash, verified and used. */
function checkBootloader({ flash, fuses, plan }: ChipParts): BootloaderVerdict {
  if (fuses.lifeCycle === 'retired') return { kind: 'refused', code: 'device.safe_mode' };
  const { boot } = plan.board;
  const address = plan.map.start(boot.firstSector);
  const bytes = flash.read(address, plan.map.bytesOf(boot));
  try {
    const record = new ByteReader(bytes);
    const authority = record.take(record.u16le('key length'), 'boot key');
    if (!equalBytes(sha256(authority), fuses.read('bootKeyHash'))) return { kind: 'refused', code: 'boot.unknown_key' };
    const image = mcubootJudge([mcubootPublicKey(authority)])(bytes.subarray(keyRecordSize(plan)), { address });
    if (image.kind === 'refused') return image;
    return { kind: 'accepted', image, authority, keys: decodeBootProgram(image.payload) };
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { kind: 'refused', code: error.code };
  }
}

/** Not even a bootloader: the first stage itself proves the device and takes what it is sent. */
function firstStageRecovery(frame: Frame, root: LayerIdentity, code: ErrorCode): RunningSafeMode {
  const stage = fixedCode('holdfast first stage', frame.chip.fuses.read('bootKeyHash'));
  const step: LayerStep = { ...stage, descriptor: recoveryDescriptor(frame, 'first-stage', '0.0.0'), mode: 'recovery' };
  return safeMode(frame, nextIdentity(root, step, 'layer'), step, code);
}

/** Room of the key record: a sector where sectors are small, else the first 4 KiB. */
export function keyRecordSize({ board, map }: SlotPlan): number {
  return Math.min(map.sizeOf(board.boot.firstSector), 4096);
}

function runBootloader(
  frame: Frame,
  identity: LayerIdentity,
  own: MeasuredCode,
  keys: readonly McubootPublicKey[],
): BootResult {
  const { chip } = frame;
  const recovery = (code: ErrorCode): BootResult => {
    const descriptor = recoveryDescriptor(frame, 'bootloader', '0.0.0');
    return safeMode(frame, identity, { ...own, descriptor, mode: 'recovery' }, code);
  };
  if (chip.registers.attempts >= MAX_BOOT_ATTEMPTS) return recovery('device.safe_mode');
  let decision: BootDecision;
  try {
    decision = chip.strategy.run(mcubootJudge(keys), chip.onEvent);
  } catch (error) {
    // A sector that fails in the middle of a swap leaves nothing whole to boot.
    if (!HoldfastError.is(error, 'device.flash_failed')) throw error;
    return recovery(error.code);
  }
  if (decision.kind === 'none') return recovery(decision.code);
  chip.registers.countAttempt();
  const { image, securityCounter, state } = decision;
  const descriptor = describe(frame, 'firmware', { version: image.version, counter: securityCounter, state });
  const leaf = nextIdentity(identity, { ...measured(image, image.authority), descriptor, mode: frame.mode }, 'leaf');
  return { kind: 'application', payload: image.payload, ...running(frame, leaf, descriptor) };
}

function safeMode(frame: Frame, layer: LayerIdentity, step: LayerStep, code: ErrorCode): RunningSafeMode {
  const leaf = nextIdentity(layer, step, 'leaf');
  return { kind: 'safe-mode', code, ...running(frame, leaf, step.descriptor) };
}

function running({ mode }: Frame, leaf: LayerIdentity, descriptor: LayerDescriptor): Running {
  return {
    attester: attesterOf(leaf),
    descriptor,
    debug: mode === 'debug' && descriptor.bootState !== 'recovery' ? 'enabled' : 'disabled-permanently',
    sealingSecret: leaf.secrets.seal,
  };
}

interface Description {
  readonly version: string;
  readonly counter: number;
  readonly state: LayerDescriptor['bootState'];
}

function describe({ bootCount }: Frame, name: string, { version, counter, state }: Description): LayerDescriptor {
  return { name, version, securityCounter: counter, bootState: state, bootCount };
}

/** In recovery no image runs, so the counter is that of the fuses. */
function recoveryDescriptor(frame: Frame, name: string, version: string): LayerDescriptor {
  return describe(frame, name, { version, counter: frame.chip.fuses.securityCounter, state: 'recovery' });
}

function modeOf(fuses: FuseBank): DiceMode {
  if (fuses.lifeCycle === 'open') return 'not-configured';
  return fuses.debugLocked ? 'normal' : 'debug';
}

function measured({ covered, digest, digestAlgorithm }: AcceptedImage, authority: Uint8Array): MeasuredCode {
  return { code: covered, authority, digest, digestAlgorithm };
}
