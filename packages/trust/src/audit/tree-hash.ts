import { createHash } from 'node:crypto';

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

/** Root of a tree without leaves: SHA-256 of nothing (RFC 9162 2.1.1). */
export const EMPTY_ROOT: Uint8Array<ArrayBuffer> = own(createHash('sha256').digest());

/** H(0x00 || entry), RFC 9162 2.1.1. */
export function hashLeaf(entry: Uint8Array): Uint8Array<ArrayBuffer> {
  return own(createHash('sha256').update(LEAF).update(entry).digest());
}

/** H(0x01 || left || right), RFC 9162 2.1.1. */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return own(createHash('sha256').update(NODE).update(left).update(right).digest());
}

function own(digest: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(digest);
}
