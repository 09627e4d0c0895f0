export { Attestation, type AttestationPorts } from './attestation.ts';
export type {
  AttestationDoor,
  AttestationResult,
  Challenge,
  DevicePosture,
  DeviceRights,
  PostureReader,
} from './contracts.ts';
export { POSTURE_MACHINE, type PostureEvent, rightsOf, standingPosture } from './machine.ts';
export { Postures, type PosturesPorts } from './postures.ts';
export { TpmReferences, type TpmReferencesPorts } from './tpm-references.ts';
export { judgePosture, POSTURE_RULES, type PostureFacts, type PostureJudgement, type PostureRule } from './rules.ts';
