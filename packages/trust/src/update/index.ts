export { ArtifactAccess, type ArtifactAccessPorts, type ArtifactFiles, type GrantedFile } from './artifact-access.ts';
export {
  type Assignment,
  type AssignmentFacts,
  EXCLUSIONS,
  type ExclusionCode,
  judgeAssignment,
} from './assignment.ts';
export { ControlJobs, type ControlJobsPorts, type JobWish } from './control-jobs.ts';
export { type DeadlinePorts, Deadlines } from './deadlines.ts';
export {
  type AssignedJob,
  DeviceJobs,
  type DeviceJobsPorts,
  type JobOwner,
  type StartWish,
  type UpdateOutcome,
  type UpdateWish,
} from './device-jobs.ts';
export { EXECUTION_MACHINE, type ExecutionEvent, inNextOrder, type ListChange } from './execution-machine.ts';
export { ExecutionWriter, type ExecutionWriterPorts } from './execution-writer.ts';
export { FileStreams, type StreamAnswer, type StreamBlock, type StreamWish } from './file-streams.ts';
export { FIRMWARE_FILE_ID, type JobDocument, type ManifestJudge } from './job-documents.ts';
export { Proof, type ProofPorts, type ProvingEvidence } from './proof.ts';
export { judgeProof, type ProofVerdict } from './proof-rule.ts';
export { type Rehearser, Rehearsals, type RehearsalStanding, type RehearsalsPorts } from './rehearsals.ts';
export { type RolloutPlan, Rollouts, type RolloutsPorts, type RolloutWish } from './rollouts.ts';
export { Manifests, manifestPayload } from './manifests.ts';
export {
  type ReleaseKeys,
  ReleaseRoots,
  type ReleaseRootsPorts,
  type RootInForce,
  type SignedManifest,
} from './release-roots.ts';
export { type ImageLevel, type ProductImages, type ReleaseFiles, type ReleaseWish } from './release-intake.ts';
export { Releases, type ReleasesPorts } from './releases.ts';
export { UpdateReactions, type UpdateReactionsPorts } from './reactions.ts';
