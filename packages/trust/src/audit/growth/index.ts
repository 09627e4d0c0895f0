// What the writing thread needs of the log. It loads nothing but hashing: that thread's start is part of every start.
export { boundFact, encodeAuditEntry, hashAuditEntry } from './entry.ts';
export { appendLeaf, assembleTree, type AuditTree, EMPTY_TREE, rootOf, spansOf, type TileSpan } from './tree.ts';
