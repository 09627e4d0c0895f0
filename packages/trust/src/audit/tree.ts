import { HoldfastError } from '@holdfast/kernel';
import { EMPTY_ROOT, hashNode } from './tree-hash.ts';

/** Leaves of a tile, as a power of two. */
export const TILE_BITS = 8;

interface Peak {
  /** The subtree holds 2^height leaves. */
  readonly height: number;
  readonly hash: Uint8Array;
}

/** The right edge of the tree: roots of its complete subtrees, tallest first. A value; growing makes a new one. */
export interface AuditTree {
  readonly size: number;
  readonly peaks: readonly Peak[];
}

/** Root of a complete subtree of 256^level leaves, the `position`-th of its level. Level 0 is a leaf. */
export interface Tile {
  readonly level: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

export const EMPTY_TREE: AuditTree = { size: 0, peaks: [] };

/** Adds one leaf in O(log n) and names the tiles that became complete. */
export function appendLeaf(
  tree: AuditTree,
  leaf: Uint8Array,
): { readonly tree: AuditTree; readonly tiles: readonly Tile[] } {
  const peaks = [...tree.peaks];
  const tiles: Tile[] = [];
  const size = tree.size + 1;
  let merged: Peak = { height: 0, hash: leaf };
  for (let last = peaks.at(-1); last?.height === merged.height; last = peaks.at(-1)) {
    peaks.pop();
    merged = { height: merged.height + 1, hash: hashNode(last.hash, merged.hash) };
    const level = merged.height / TILE_BITS;
    if (Number.isInteger(level)) tiles.push({ level, position: size / 2 ** merged.height - 1, hash: merged.hash });
  }
  peaks.push(merged);
  return { tree: { size, peaks }, tiles };
}

/** The root of RFC 9162 2.1.1: peaks folded from the right. */
export function rootOf({ peaks }: AuditTree): Uint8Array {
  let root = peaks.at(-1)?.hash;
  for (const { hash } of peaks.slice(0, -1).reverse()) root = root ? hashNode(hash, root) : hash;
  return root ?? EMPTY_ROOT;
}

/**
 * The tree of `size` leaves from what is stored: at most 255 hashes a level.
 *
 * @param hashAt - a leaf (level 0) or a tile, undefined when it is missing.
 * @throws `audit.tampered` when one is missing.
 */
export function restoreTree(
  size: number,
  hashAt: (level: number, position: number) => Uint8Array | undefined,
): AuditTree {
  let tree = EMPTY_TREE;
  for (let level = topLevel(size); level >= 0; level--) {
    const span = 2 ** (TILE_BITS * level);
    for (let position = tree.size / span; (position + 1) * span <= size; position++) {
      const hash = hashAt(level, position);
      if (!hash) throw new HoldfastError('audit.tampered', { sequence: position * span, reason: 'hash missing' });
      tree = appendPeak(tree, { height: TILE_BITS * level, hash });
    }
  }
  return tree;
}

function topLevel(size: number): number {
  let level = 0;
  while (2 ** (TILE_BITS * (level + 1)) <= size) level++;
  return level;
}

function appendPeak(tree: AuditTree, peak: Peak): AuditTree {
  const peaks = [...tree.peaks];
  let merged = peak;
  for (let last = peaks.at(-1); last?.height === merged.height; last = peaks.at(-1)) {
    peaks.pop();
    merged = { height: merged.height + 1, hash: hashNode(last.hash, merged.hash) };
  }
  return { size: tree.size + 2 ** peak.height, peaks: [...peaks, merged] };
}
