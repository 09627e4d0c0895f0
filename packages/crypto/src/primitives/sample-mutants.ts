import { concatBytes, equalBytes, HoldfastError, seededRandom } from '@holdfast/kernel';

/** A file changed in one place. */
interface Mutant {
  readonly bytes: Uint8Array;
  readonly change: string;
  readonly at: number;
}

const CHANGES = ['flip', 'flip', 'flip', 'flip', 'zero', 'ones', 'drop', 'insert', 'swap', 'double'] as const;

/** Draws changes of one place each; the same seed draws the same ones, and none leaves the file as it was. */
function* mutantsOf(original: Uint8Array, count: number, seed: number): Generator<Mutant> {
  const random = seededRandom(seed);
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit;
  for (let made = 0; made < count; ) {
    const at = below(original.length);
    const change = CHANGES[below(CHANGES.length)] ?? 'flip';
    const bytes = mutate(original, { change, at, bit: below(8), size: 1 + below(4) });
    if (equalBytes(bytes, original)) continue;
    made++;
    yield { bytes, change, at };
  }
}

interface Place {
  readonly change: (typeof CHANGES)[number];
  readonly at: number;
  readonly bit: number;
  readonly size: number;
}

function mutate(original: Uint8Array, { change, at, bit, size }: Place): Uint8Array {
  const [head, tail] = [original.subarray(0, at), original.subarray(at)];
  if (change === 'drop') return concatBytes(head, tail.subarray(size));
  if (change === 'insert') return concatBytes(head, new Uint8Array(size).fill(bit), tail);
  if (change === 'double') return concatBytes(head, tail.subarray(0, size), tail);
  const copy = Uint8Array.from(original);
  const value = copy[at] ?? 0;
  if (change === 'swap') {
    copy[at] = copy[at + 1] ?? value;
    if (at + 1 < copy.length) copy[at + 1] = value;
  } else copy[at] = change === 'flip' ? value ^ (1 << bit) : change === 'zero' ? 0 : 0xff;
  return copy;
}

/**
 * The places where a change was let through; a judge that fails otherwise than by a coded error makes it throw.
 *
 * @param judge - throws a coded error for a file it refuses.
 */
export function survivingPlaces(
  original: Uint8Array,
  judge: (bytes: Uint8Array) => unknown,
  { count = 2000, seed = 1 } = {},
): number[] {
  const places = new Set<number>();
  for (const { bytes, at } of mutantsOf(original, count, seed)) if (isAccepted(judge, bytes)) places.add(at);
  return [...places].sort((a, b) => a - b);
}

/** How many of the shortened files were let through; every length is tried up to `limit`, and a sample above. */
export function acceptedTruncations(
  original: Uint8Array,
  judge: (bytes: Uint8Array) => unknown,
  limit = 4096,
): number[] {
  const step = Math.max(1, Math.floor(original.length / limit));
  const accepted: number[] = [];
  for (let length = 0; length < original.length; length += step)
    if (isAccepted(judge, original.subarray(0, length))) accepted.push(length);
  return accepted;
}

function isAccepted(judge: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    judge(bytes);
    return true;
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return false;
  }
}
