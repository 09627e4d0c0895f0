export { type AuditEntry, encodeAuditEntry, hashAuditEntry } from './entry.ts';
export { type AuditTree, appendLeaf, EMPTY_TREE, restoreTree, rootOf, type Tile } from './tree.ts';
