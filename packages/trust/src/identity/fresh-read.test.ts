import { HoldfastError } from '@holdfast/kernel';
import { expect, it } from 'vitest';
import { onFreshRead } from './fresh-read.ts';

const failing = (times: number, code: 'store.conflict' | 'store.unavailable') => {
  const calls = { count: 0 };
  const work = async (): Promise<string> => {
    calls.count += 1;
    if (calls.count <= times) throw new HoldfastError(code);
    return 'done';
  };
  return { calls, work };
};

it('reads and decides again after a conflict', async () => {
  const { calls, work } = failing(3, 'store.conflict');
  expect(await onFreshRead(work)).toBe('done');
  expect(calls.count).toBe(4);
});

it('gives up after four tries, and at once for any other failure', async () => {
  const conflicts = failing(9, 'store.conflict');
  await expect(onFreshRead(conflicts.work)).rejects.toThrowError(expect.objectContaining({ code: 'store.conflict' }));
  expect(conflicts.calls.count).toBe(4);
  const down = failing(1, 'store.unavailable');
  await expect(onFreshRead(down.work)).rejects.toThrowError(expect.objectContaining({ code: 'store.unavailable' }));
  expect(down.calls.count).toBe(1);
});
