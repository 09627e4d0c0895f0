export { type AuditProof, AuditTrail, type AuditTrailPorts } from './audit-trail.ts';
export { type CheckpointPorts, Checkpoints, type CheckpointStart } from './checkpoints.ts';
export {
  appendLeaf,
  assembleTree,
  type AuditTree,
  boundFact,
  EMPTY_TREE,
  encodeAuditEntry,
  hashAuditEntry,
  rootOf,
  spansOf,
} from './growth/index.ts';
export { type AuditVerdict, verifyAuditLog } from './verify.ts';
