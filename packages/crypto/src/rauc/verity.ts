import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { RAUC_BLOCK, type RaucVerity } from '@holdfast/wire/rauc';
import type { Reading } from '../primitives/byte-source.ts';
import { sha256 } from '../primitives/hash.ts';

const HASH = 32;
const FANOUT = RAUC_BLOCK / HASH;

/** Blocks of each level of a hash tree over so many data blocks, the root's level first. */
function levelsOf(dataBlocks: number): number[] {
  const levels: number[] = [];
  for (let blocks = Math.ceil(dataBlocks / FANOUT); ; blocks = Math.ceil(blocks / FANOUT)) {
    levels.unshift(blocks);
    if (blocks === 1) return levels;
  }
}

/** Bytes of the hash tree over so many bytes of data. */
export function verityTreeSize(dataSize: number): number {
  return RAUC_BLOCK * levelsOf(dataSize / RAUC_BLOCK).reduce((sum, blocks) => sum + blocks, 0);
}

/** Hashes blocks behind a salt, in one buffer that is used again. */
function blockHasher(salt: Uint8Array): (block: Uint8Array) => Uint8Array {
  const salted = new Uint8Array(salt.length + RAUC_BLOCK);
  salted.set(salt);
  return (block) => {
    salted.set(block, salt.length);
    return sha256(salted);
  };
}

/**
 * Builds the hash tree of dm-verity without superblock: SHA-256 over salt and block, levels filled with zeros to blocks,
 * the root's level first.
 *
 * @param data - whole blocks, at least one.
 * @see Linux Documentation/admin-guide/device-mapper/verity.rst
 */
export function buildVerity(
  data: Uint8Array,
  salt: Uint8Array,
): { readonly tree: Uint8Array; readonly rootHash: Uint8Array } {
  const hashBlock = blockHasher(salt);
  const tree = new Uint8Array(verityTreeSize(data.length));
  let below = data;
  let end = tree.length;
  for (;;) {
    const count = below.length / RAUC_BLOCK;
    const start = end - Math.ceil(count / FANOUT) * RAUC_BLOCK;
    for (let index = 0; index < count; index++)
      tree.set(hashBlock(below.subarray(index * RAUC_BLOCK, (index + 1) * RAUC_BLOCK)), start + index * HASH);
    below = tree.subarray(start, end);
    end = start;
    if (below.length === RAUC_BLOCK) return { tree, rootHash: hashBlock(below) };
  }
}

/**
 * Checks every block of data and of the tree that follows it, as the kernel does block by block, holding one block of each
 * level and half a MiB of data.
 *
 * @throws `boot.hash_mismatch` with the offset of the first block that differs
 */
export function* judgeVerity(dataSize: number, { rootHash, salt }: RaucVerity): Reading<void> {
  const hashBlock = blockHasher(salt);
  const check = (block: Uint8Array, expected: Uint8Array, offset: number): void => {
    if (!equalBytes(hashBlock(block), expected))
      throw new HoldfastError('boot.hash_mismatch', { field: 'verity', offset });
  };
  const levels = levelsOf(dataSize / RAUC_BLOCK);
  const starts = levels.map(
    (_, level) => dataSize + RAUC_BLOCK * levels.slice(0, level).reduce((sum, blocks) => sum + blocks, 0),
  );
  const current: Uint8Array[] = [];
  const leaves = levels.at(-1) ?? 0;
  for (let leaf = 0; leaf < leaves; leaf++) {
    for (const [level, start] of starts.entries()) {
      const span = FANOUT ** (levels.length - 1 - level);
      if (leaf % span !== 0) continue;
      const index = leaf / span;
      const offset = start + index * RAUC_BLOCK;
      const block = Uint8Array.from(yield { offset, length: RAUC_BLOCK });
      const parent = current[level - 1];
      const slot = (index % FANOUT) * HASH;
      check(block, parent === undefined ? rootHash : parent.subarray(slot, slot + HASH), offset);
      current[level] = block;
    }
    yield* judgeLeaf(leaf * FANOUT * RAUC_BLOCK, dataSize, current.at(-1) ?? rootHash, check);
  }
}

function* judgeLeaf(
  offset: number,
  dataSize: number,
  hashes: Uint8Array,
  check: (block: Uint8Array, expected: Uint8Array, offset: number) => void,
): Reading<void> {
  const data = yield { offset, length: Math.min(FANOUT * RAUC_BLOCK, dataSize - offset) };
  for (let at = 0; at < data.length; at += RAUC_BLOCK) {
    const slot = (at / RAUC_BLOCK) * HASH;
    check(data.subarray(at, at + RAUC_BLOCK), hashes.subarray(slot, slot + HASH), offset + at);
  }
  // Hashes of blocks that are not there are zeros: the tree's own hash does not say so.
  if (hashes.subarray((data.length / RAUC_BLOCK) * HASH).some((byte) => byte !== 0))
    throw new HoldfastError('boot.bad_header', { field: 'verity filling' });
}
