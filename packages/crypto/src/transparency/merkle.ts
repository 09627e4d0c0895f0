import { concatBytes, HoldfastError } from '@holdfast/kernel';
import { sha256 } from '../primitives/hash.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Hash of the tree without leaves (RFC 9162 2.1.1). */
export const EMPTY_ROOT = sha256(new Uint8Array(0));

/** The prefixes keep an inner node from being shown as a leaf (RFC 9162 2.1.1). */
export function leafHash(entry: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(concatBytes(LEAF, entry));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(concatBytes(NODE, left, right));
}

/**
 * The roots of the full subtrees a growing tree consists of, largest first: all that is needed to append and to give
 * the root. It has as many hashes as `size` has one bits.
 */
export class MerkleFrontier {
  #size: bigint;
  readonly #hashes: Uint8Array[];

  /** @throws `wire.malformed` when the count of hashes does not fit the size. */
  constructor(size = 0n, hashes: readonly Uint8Array[] = []) {
    const isBad = size < 0n || hashes.length !== oneBits(size) || hashes.some((hash) => hash.length !== 32);
    if (isBad) throw new HoldfastError('wire.malformed', { field: 'frontier' });
    this.#size = size;
    this.#hashes = [...hashes];
  }

  get size(): bigint {
    return this.#size;
  }

  /** To be stored; the constructor takes them back. */
  get hashes(): readonly Uint8Array[] {
    return this.#hashes;
  }

  append(leaf: Uint8Array): void {
    let hash = leaf;
    for (let rest = this.#size; (rest & 1n) === 1n; rest >>= 1n) {
      const left = this.#hashes.pop();
      if (left !== undefined) hash = nodeHash(left, hash);
    }
    this.#hashes.push(hash);
    this.#size += 1n;
  }

  root(): Uint8Array {
    const [last, ...others] = [...this.#hashes].reverse();
    if (last === undefined) return EMPTY_ROOT;
    return others.reduce((right, left) => nodeHash(left, right), last);
  }
}

/** The root over leaf hashes read one by one. */
export async function merkleRoot(
  leaves: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ readonly size: bigint; readonly root: Uint8Array }> {
  const frontier = new MerkleFrontier();
  for await (const leaf of leaves) frontier.append(leaf);
  return { size: frontier.size, root: frontier.root() };
}

function oneBits(size: bigint): number {
  let count = 0;
  for (let rest = size; rest > 0n; rest &= rest - 1n) count++;
  return count;
}
