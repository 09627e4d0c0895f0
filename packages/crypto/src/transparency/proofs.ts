import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { MerkleFrontier, nodeHash } from './merkle.ts';

/** Gives the hash of the subtree over leaves `start` until `end`; a store may keep the full ones. */
export type SubtreeHash = (start: number, end: number) => Uint8Array;

/** Subtree hashes over leaf hashes in memory, each computed once. */
export function subtreesOf(leaves: readonly Uint8Array[]): SubtreeHash {
  const known = new Map<string, Uint8Array>();
  const hash: SubtreeHash = (start, end) => {
    if (end - start === 1 && leaves[start] !== undefined) return leaves[start];
    const key = `${start}-${end}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    if (end <= start || end > leaves.length) throw new HoldfastError('wire.malformed', { field: 'subtree' });
    const middle = start + splitPoint(end - start);
    const made = nodeHash(hash(start, middle), hash(middle, end));
    known.set(key, made);
    return made;
  };
  return hash;
}

/** PATH of RFC 9162 2.1.3.1. @throws `wire.malformed` when there is no such leaf. */
export function inclusionProof(hash: SubtreeHash, index: number, size: number): Uint8Array[] {
  if (!(index >= 0 && index < size)) throw new HoldfastError('wire.malformed', { field: 'index' });
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push(hash(middle, end));
      end = middle;
    } else {
      path.push(hash(start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/** PROOF of RFC 9162 2.1.4.1; empty when the sizes are equal or the first is 0. */
export function consistencyProof(hash: SubtreeHash, first: number, second: number): Uint8Array[] {
  if (!(first >= 0 && first <= second)) throw new HoldfastError('wire.malformed', { field: 'size' });
  if (first === 0 || first === second) return [];
  const path: Uint8Array[] = [];
  let [start, end] = [0, second];
  while (end !== first) {
    const middle = start + splitPoint(end - start);
    if (first <= middle) {
      path.push(hash(middle, end));
      end = middle;
    } else {
      path.push(hash(start, middle));
      start = middle;
    }
  }
  // The old tree's own root needs no mention, the root of a part of it does.
  if (start > 0) path.push(hash(start, end));
  return path.reverse();
}

export interface InclusionClaim {
  readonly leaf: Uint8Array;
  readonly index: bigint;
  readonly size: bigint;
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** RFC 9162 2.1.3.2. */
export function verifyInclusion({ leaf, index, size, path, root }: InclusionClaim): boolean {
  if (index < 0n || index >= size) return false;
  let [fn, sn, r] = [index, size - 1n, leaf];
  for (const p of path) {
    if (sn === 0n || p.length !== 32) return false;
    if ((fn & 1n) === 1n || fn === sn) {
      r = nodeHash(p, r);
      while ((fn & 1n) === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      r = nodeHash(r, p);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && equalBytes(r, root);
}

export interface ConsistencyClaim {
  readonly first: bigint;
  readonly second: bigint;
  readonly firstRoot: Uint8Array;
  readonly secondRoot: Uint8Array;
  readonly path: readonly Uint8Array[];
}

/** RFC 9162 2.1.4.2: whether the second tree has the first as its beginning. */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { first, second, firstRoot, secondRoot, path } = claim;
  if (first < 0n || first > second) return false;
  if (first === second) return path.length === 0 && equalBytes(firstRoot, secondRoot);
  if (first === 0n) return path.length === 0 && equalBytes(firstRoot, new MerkleFrontier().root());
  const [start, ...rest] = (first & (first - 1n)) === 0n ? [firstRoot, ...path] : path;
  if (start === undefined || path.length === 0 || path.some((hash) => hash.length !== 32)) return false;
  let [fn, sn, fr, sr] = [first - 1n, second - 1n, start, start];
  while ((fn & 1n) === 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  for (const c of rest) {
    if (sn === 0n) return false;
    if ((fn & 1n) === 1n || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while ((fn & 1n) === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      sr = nodeHash(sr, c);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && equalBytes(fr, firstRoot) && equalBytes(sr, secondRoot);
}

/** The largest power of two smaller than `count` (RFC 9162 2.1.1). */
function splitPoint(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}
