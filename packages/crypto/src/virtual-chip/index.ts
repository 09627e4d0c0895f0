export { type Backing, memoryBacking } from './backing.ts';
export { BOARDS, type BoardName, layoutBoard, type LayoutOptions } from './boards.ts';
export { encodeBootProgram } from './boot-program.ts';
export { type BoardLayout, CHIPS, type ChipId, type ChipRow, type LaunchRule, type StrategyName } from './chips.ts';
export { counterCeiling, type CounterSpec } from './counter.ts';
export {
  type CutJourney,
  type CutOutcome,
  type CutTrial,
  type NoTrial,
  prepareCutTrial,
  rememberVerdicts,
  type TrialImage,
  tryCuts,
} from './cut-trial.ts';
export { type Fault, PowerSupply } from './faults.ts';
export { type BootResult, bootChip, encodeKeyRecord, keyRecordSize } from './first-stage.ts';
export { erasedFlashState, NorFlash, padTo } from './flash.ts';
export { FuseBank, fuseBytes } from './fuses.ts';
export { attestationAnchor } from './identity-layers.ts';
export {
  type AcceptedImage,
  espJudge,
  type ImageJudge,
  type ImageVerdict,
  type JudgeTerms,
  mcubootJudge,
} from './image-judge.ts';
export { BackupRegisters, REGISTER_BYTES } from './registers.ts';
export { planSlots, slotBytes, type SlotPlan } from './slots.ts';
export { createStrategy } from './strategies.ts';
export type { BootDecision, BootEvent, SlotName, Strategy } from './strategy.ts';
export { UpdateSlot } from './update-slot.ts';
export {
  type ChipState,
  type ChipVerdict,
  createVirtualChip,
  type StageVerdict,
  VirtualChip,
  type VirtualChipOptions,
} from './virtual-chip.ts';
