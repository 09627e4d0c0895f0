import { MerkleFrontier, nodeHash } from '@holdfast/crypto/merkle';
import { HoldfastError } from '@holdfast/kernel';

/** Leaves of a tile, as a power of two. */
const TILE_BITS = 8;
const HASH = 32;

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

/** Root of a complete subtree of 256^level leaves, the `position`-th of its level. */
export interface Tile {
  readonly level: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

/** Hashes of one level that a range is made of: leaves (level 0) or tiles, from `start` until `end`. */
export interface TileSpan {
  readonly level: number;
  readonly start: number;
  readonly end: number;
}

export const EMPTY_TREE: AuditTree = { size: 0, peaks: [] };

/** Adds one leaf in O(log n) and names the tiles that became complete. */
export function appendLeaf(
  tree: AuditTree,
  leaf: Uint8Array,
): { readonly tree: AuditTree; readonly tiles: readonly Tile[] } {
  const tiles: Tile[] = [];
  const size = tree.size + 1;
  const grown = appendPeak(tree, { height: 0, hash: leaf }, ({ height, hash }) => {
    const level = height / TILE_BITS;
    if (Number.isInteger(level)) tiles.push({ level, position: size / 2 ** height - 1, hash });
  });
  return { tree: grown, tiles };
}

/** The root of RFC 9162 2.1.1. */
export function rootOf({ size, peaks }: AuditTree): Uint8Array {
  return new MerkleFrontier(
    BigInt(size),
    peaks.map(({ hash }) => hash),
  ).root();
}

/**
 * What to read for the subtree over leaves `start` until `end`: at most 255 hashes a level on either side.
 *
 * @param start - a multiple of the largest power of two that the range holds, as in every tree and proof.
 */
export function spansOf(start: number, end: number): readonly TileSpan[] {
  const spans: TileSpan[] = [];
  let at = start;
  for (let level = topLevel(end - start); level >= 0; level--) {
    const width = 2 ** (TILE_BITS * level);
    const count = Math.floor((end - at) / width);
    if (count > 0) spans.push({ level, start: at / width, end: at / width + count });
    at += count * width;
  }
  return spans;
}

/**
 * The tree over what `spansOf` named.
 *
 * @param hashes - of each span, in order.
 * @throws `audit.tampered` when a hash is missing.
 */
export function assembleTree(spans: readonly TileSpan[], hashes: readonly (readonly Uint8Array[])[]): AuditTree {
  let tree = EMPTY_TREE;
  for (const [at, { level, start, end }] of spans.entries()) {
    for (let position = start; position < end; position++) {
      const hash = hashes[at]?.[position - start];
      if (hash?.length !== HASH) {
        throw new HoldfastError('audit.tampered', { sequence: position * 2 ** (TILE_BITS * level), reason: 'no hash' });
      }
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

function appendPeak(tree: AuditTree, peak: Peak, merged?: (peak: Peak) => void): AuditTree {
  const peaks = [...tree.peaks];
  let right = peak;
  for (let left = peaks.at(-1); left?.height === right.height; left = peaks.at(-1)) {
    peaks.pop();
    right = { height: right.height + 1, hash: nodeHash(left.hash, right.hash) };
    merged?.(right);
  }
  return { size: tree.size + 2 ** peak.height, peaks: [...peaks, right] };
}
