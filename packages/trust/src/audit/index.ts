export { type AuditProof, AuditTrail, type AuditTrailPorts } from './audit-trail.ts';
export { type CheckpointPorts, Checkpoints, type CheckpointStart } from './checkpoints.ts';
export { boundFact, encodeAuditEntry, hashAuditEntry } from './entry.ts';
export { appendLeaf, assembleTree, type AuditTree, EMPTY_TREE, rootOf, spansOf } from './tree.ts';
export { type AuditVerdict, verifyAuditLog } from './verify.ts';
