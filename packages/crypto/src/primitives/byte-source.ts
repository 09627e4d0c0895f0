import { HoldfastError } from '@holdfast/kernel';

/** A range that a reading asks for. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * A judgement that asks for the bytes it needs, range by range, and so holds no more than one of them; it runs over bytes in
 * memory and over files alike. What it is given holds until it asks again. It asks only for ranges within the size it was told.
 */
export type Reading<Result> = Generator<ByteRange, Result, Uint8Array>;

/** Bytes that are read by range: a file, an object in a store. */
export interface ByteSource {
  readonly size: number;
  /** Fewer bytes only when the source ends; they may be overwritten by the next read. */
  read(range: ByteRange): Promise<Uint8Array>;
}

/** Runs a reading over bytes in memory. */
export function readFromBytes<Result>(reading: Reading<Result>, bytes: Uint8Array): Result {
  let step = reading.next();
  while (step.done !== true) {
    const { offset, length } = step.value;
    step = reading.next(bytes.subarray(offset, offset + length));
  }
  return step.value;
}

/** Runs a reading over a source. @throws `wire.truncated` when the source is shorter than it said */
export async function readFromSource<Result>(reading: Reading<Result>, source: ByteSource): Promise<Result> {
  let step = reading.next();
  while (step.done !== true) {
    const { offset, length } = step.value;
    const bytes = await source.read(step.value);
    if (bytes.length !== length)
      throw new HoldfastError('wire.truncated', { field: 'source', offset, needed: length, remaining: bytes.length });
    step = reading.next(bytes);
  }
  return step.value;
}
