import { createPublicKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mcubootPublicKey, type McubootSignOptions, prepareMcubootImage } from '@holdfast/crypto';
import { systemClock } from '@holdfast/kernel';
import { CHIPS, type ChipId } from '@holdfast/crypto/virtual-chip';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { describe, expect, it } from 'vitest';
import { makeTestKey, signTestImage, type TestImage } from '../../../crypto/src/virtual-chip/testing/images.ts';
import { imageWorld } from '../../../crypto/src/virtual-chip/testing/worlds.ts';
import { rehearse, type RehearsalRequest, type RehearsalStep } from './index.ts';
import { drawCuts } from './rehearsal-cuts.ts';

const key = makeTestKey();
const clock = systemClock;
const OLD = signTestImage(key, { version: '1.0.0', counter: 1, size: 2000 });
const NEW = signTestImage(key, { version: '2.0.0', counter: 2, size: 2500 });

const request: RehearsalRequest = {
  format: 'mcuboot',
  image: NEW,
  keys: [key.spki],
  from: [{ name: '1.0.0', image: OLD, keys: [key.spki] }],
  cuts: 4,
  seconds: 60,
  seed: 1,
};

const stepsOf = async (change: Partial<RehearsalRequest>): Promise<readonly RehearsalStep[]> =>
  (await rehearse({ ...request, ...change }, { clock })).steps;
const coded = (steps: readonly RehearsalStep[]): readonly string[] =>
  steps.filter(({ result }) => result !== 'passed').map(({ name, code, result }) => `${name}: ${code ?? result}`);

const MCUBOOT_WAYS = (['nrf52840', 'stm32l4', 'stm32f4', 'lpc55s69', 'psoc64'] as const).flatMap((chip) =>
  CHIPS[chip].strategies.map((strategy) => [chip, strategy] as const),
);

describe('a rehearsal', () => {
  it.each(MCUBOOT_WAYS)('passes a sound release on %s by %s', async (chip, strategy) => {
    const report = await rehearse({ ...request, chip, strategy, cuts: 2 }, { clock });
    expect(coded(report.steps)).toEqual([]);
    expect(report).toMatchObject({ result: 'passed', chip, strategy, cuts: 2, seed: 1 });
  });

  it.each(['esp32', 'esp32-c3'] as const satisfies readonly ChipId[])(
    'takes an image of %s to that chip by what its header says',
    async (chip) => {
      const world = imageWorld(chip, key);
      const image = (sample: TestImage): Uint8Array => world.sign({ size: 2000, ...sample });
      const report = await rehearse(
        {
          ...request,
          format: 'esp32-v2',
          image: image({ version: '2.0.0', counter: 2 }),
          from: [{ name: '1.0.0', image: image({ version: '1.0.0', counter: 1 }), keys: [key.spki] }],
        },
        { clock },
      );
      expect(coded(report.steps)).toEqual([]);
      expect(report).toMatchObject({ result: 'passed', chip, strategy: 'esp-ota' });
    },
  );

  it('cuts the power at every operation of both journeys when all are asked for', async () => {
    const report = await rehearse({ ...request, chip: 'nrf52840', strategy: 'overwrite-only', cuts: 'all' }, { clock });
    const update = report.steps.find(({ kind }) => kind === 'update');
    expect(update).toMatchObject({ result: 'passed' });
    expect(report.cuts).toBeGreaterThan(update?.operations ?? 0);
  });

  it('draws the same cuts for the same seed and others for another', () => {
    const drawn = (seed: number) => JSON.stringify([...drawCuts({ operations: 500, wanted: 10, seed })]);
    expect(drawn(3)).toBe(drawn(3));
    expect(drawn(3)).not.toBe(drawn(4));
  });

  it('names each attack it tried', async () => {
    const attacks = (await stepsOf({})).filter(({ kind }) => kind === 'attack');
    expect(attacks.map(({ name }) => name)).toEqual([
      'signed by another key',
      'one bit changed',
      'cut off',
      'for another chip',
      'larger than the slot',
      'below the security counter of the fuses',
    ]);
  });

  it('says that an image without a counter can be rolled back, and is no full pass', async () => {
    const unsigned = await rehearse({ ...request, image: withoutCounter('2.0.0'), from: [] }, { clock });
    expect(unsigned.result).toBe('partial');
    expect(coded(unsigned.steps)).toEqual(['below the security counter of the fuses: not-rehearsed']);
  });

  it('tells its progress, and stops cutting when its time is over', async () => {
    let time = 0;
    const told: number[] = [];
    const slow = { monotonicMs: () => (time += 400) };
    const report = await rehearse(
      { ...request, cuts: 1000, seconds: 10 },
      { clock: slow, onProgress: ({ cuts }) => told.push(cuts) },
    );
    expect(report.cuts).toBeLessThan(30);
    expect(told.length).toBeGreaterThan(3);
  });
});

describe('a rehearsal refuses', () => {
  it('an image that no key of the product signed, before anything boots', async () => {
    expect(coded(await stepsOf({ image: signTestImage(makeTestKey(), { counter: 2 }) }))).toEqual([
      'verified: boot.unknown_key',
    ]);
  });

  it('an image whose key the boot code of devices in the field does not hold', async () => {
    const next = makeTestKey();
    const image = signTestImage(next, { version: '2.0.0', counter: 2, size: 2500 });
    expect(coded(await stepsOf({ image, keys: [key.spki, next.spki] }))).toEqual(['1.0.0: boot.unknown_key']);
  });

  it('an image that no longer fits beside the marks of the boot code', async () => {
    const steps = await stepsOf({ image: signTestImage(key, { counter: 2, size: 7000 }), slotSize: 8192 });
    expect(coded(steps)).toEqual(['fits the slot: boot.image_too_large']);
  });

  it('an image below the counter that the firmware in the field has burnt', async () => {
    const burnt = signTestImage(key, { version: '1.5.0', counter: 3, size: 2000 });
    const from = [{ name: '1.5.0', image: burnt, keys: [key.spki] }];
    expect(coded(await stepsOf({ from }))).toEqual(['1.5.0: boot.counter_too_low']);
  });

  it('a counter that the fuses of the chip cannot hold', async () => {
    const image = signTestImage(key, { version: '2.0.0', counter: 300, size: 2500 });
    expect(coded(await stepsOf({ image, chip: 'stm32l4' }))).toEqual(['1.0.0: device.counter_too_high']);
    expect(coded(await stepsOf({ image }))).toEqual([]);
  });
});

describe('a rehearsal never calls passed what it did not try', () => {
  it('a firmware of which only the measurement is known', async () => {
    const unknown = { name: '0.9.0', image: undefined, keys: [key.spki] };
    const report = await rehearse({ ...request, from: [unknown, ...request.from] }, { clock });
    expect(report.result).toBe('partial');
    expect(coded(report.steps)).toEqual(['0.9.0: not-rehearsed']);
  });

  it('an image linked to one slot', async () => {
    const report = await rehearse({ ...request, image: romFixed() }, { clock });
    expect(report.result).toBe('partial');
  });

  it('what a Linux bundle unpacks to, while the change of its slots survives every cut', async () => {
    const vectors = new URL('../../../wire/vectors/swupdate/', import.meta.url);
    const image = new Uint8Array(readFileSync(new URL('ec.swu', vectors)));
    const spki = spkiOf(new URL('ec.pem', vectors));
    const linux = { format: 'swupdate', image, keys: [spki], from: [], cuts: 40 } as const;
    const report = await rehearse({ ...request, ...linux }, { clock });
    expect(report).toMatchObject({ result: 'partial', chip: 'linux', strategy: 'linux-ab', cuts: 40 });
    expect(coded(report.steps)).toEqual(['content: not-rehearsed']);
    const other = [{ name: 'old', image, keys: [key.spki] }];
    expect((await rehearse({ ...request, ...linux, from: other }, { clock })).result).toBe('refused');
    const altered = image.with(image.length >> 1, 0x55);
    expect((await rehearse({ ...request, ...linux, image: altered }, { clock })).result).toBe('refused');
  });

  it('a chip or a strategy that does not boot the format is an error of the caller', async () => {
    const refused = expect.objectContaining({ code: 'boot.bad_option' });
    await expect(rehearse({ ...request, chip: 'esp32' }, { clock })).rejects.toEqual(refused);
    await expect(rehearse({ ...request, chip: 'lpc55s69', strategy: 'swap-move' }, { clock })).rejects.toEqual(refused);
  });
});

function withoutCounter(version: string): Uint8Array {
  return special({ version: parseVersion(version) });
}

function romFixed(): Uint8Array {
  return special({ version: parseVersion('2.0.0'), securityCounter: 2, romFixed: 0x8000 });
}

function special(options: Pick<McubootSignOptions, 'version' | 'securityCounter' | 'romFixed'>): Uint8Array {
  const plain = { headerSize: 32, padHeader: true, ...options };
  const prepared = prepareMcubootImage(new Uint8Array(900).fill(7), plain, mcubootPublicKey(key.spki));
  return prepared.finish(sign('sha256', prepared.request.message, key.privateKey));
}

function spkiOf(file: URL): Uint8Array {
  return Uint8Array.from(createPublicKey(readFileSync(file)).export({ type: 'spki', format: 'der' }));
}
