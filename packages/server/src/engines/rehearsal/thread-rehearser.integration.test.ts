import { describe, expect, it } from 'vitest';
import { makeTestKey, signTestImage } from '../../../../crypto/src/virtual-chip/testing/images.ts';
import { ThreadRehearser } from './thread-rehearser.ts';
import type { RehearsalRequest } from '@holdfast/trust/boot';

const key = makeTestKey();
const request: RehearsalRequest = {
  format: 'mcuboot',
  image: signTestImage(key, { version: '2.0.0', counter: 2, size: 4000 }),
  keys: [key.spki],
  from: [],
  cuts: 8,
  seconds: 60,
  seed: 1,
};
const coded = (code: string) => expect.objectContaining({ code }) as unknown;

describe('a rehearsal on its thread', () => {
  it('tells its progress and ends with a report, one after the other', async () => {
    const told: number[] = [];
    const watch = {
      signal: new AbortController().signal,
      onProgress: ({ cuts }: { cuts: number }) => void told.push(cuts),
    };
    const rehearser = new ThreadRehearser();
    const reports = await Promise.all([rehearser.run(request, watch), rehearser.run({ ...request, seed: 2 }, watch)]);
    expect(reports).toMatchObject([
      { result: 'passed', cuts: 8, seed: 1 },
      { result: 'passed', cuts: 8, seed: 2 },
    ]);
    expect(told.at(-1)).toBe(8);
  });

  it('ends at once when it is cancelled, and the next one runs', async () => {
    const stop = new AbortController();
    const rehearser = new ThreadRehearser();
    const endless = rehearser.run(
      { ...request, cuts: 'all', seconds: 3600, chip: 'nrf52840', image: signTestImage(key, { size: 200_000 }) },
      { signal: stop.signal, onProgress: ({ cuts }) => cuts > 0 && stop.abort() },
    );
    await expect(endless).rejects.toEqual(coded('boot.rehearsal_cancelled'));
    const watch = { signal: new AbortController().signal, onProgress: () => undefined };
    expect(await rehearser.run(request, watch)).toMatchObject({ result: 'passed' });
    await expect(rehearser.run(request, { ...watch, signal: stop.signal })).rejects.toEqual(
      coded('boot.rehearsal_cancelled'),
    );
  });

  it('hands an error of the request over as what it is', async () => {
    const watch = { signal: new AbortController().signal, onProgress: () => undefined };
    const wrong = new ThreadRehearser().run({ ...request, chip: 'esp32' }, watch);
    await expect(wrong).rejects.toEqual(coded('boot.bad_option'));
  });
});
