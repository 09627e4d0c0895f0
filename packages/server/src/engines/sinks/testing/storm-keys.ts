import { seededRandom } from '@holdfast/kernel';
import type { SpoolKeys } from '../spool.ts';

/** A key for each epoch that every process derives alike. */
export function stormKeys(epoch: number): SpoolKeys {
  const keyOf = (asked: number) => seededRandom(asked + 1).bytes(32);
  return {
    current: () => Promise.resolve({ epoch, key: keyOf(epoch) }),
    find: (asked) => Promise.resolve(keyOf(asked)),
    keepOnly: () => Promise.resolve(),
  };
}
