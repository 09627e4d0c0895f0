import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { Dice, type Soak, type SoakReport } from '../soak.ts';
import { makeCorpus } from './corpus.ts';
import type { MutantOrder, MutantReport } from './mutant-worker.ts';
import { mutantsOf, type SourceMutant } from './mutants.ts';
import { observe, type TrialInput } from './verify-trial.ts';

/** What stands between a slot and the jump into it. */
const FILES = [
  'crypto/src/virtual-chip/image-judge.ts',
  'crypto/src/virtual-chip/strategy.ts',
  'crypto/src/virtual-chip/first-stage.ts',
  'crypto/src/virtual-chip/boot-program.ts',
  'crypto/src/mcuboot/verify.ts',
  'crypto/src/mcuboot/signature.ts',
  'crypto/src/esp32/secure-boot-v2.ts',
  'wire/src/mcuboot/header.ts',
  'wire/src/mcuboot/image.ts',
  'wire/src/mcuboot/tlv.ts',
  'wire/src/mcuboot/metadata.ts',
  'wire/src/mcuboot/ecdsa-signature.ts',
  'wire/src/esp32/app-image.ts',
  'wire/src/esp32/signature-block.ts',
] as const;

const PACKAGES = new URL('../../../../packages/', import.meta.url);
const WORKER = new URL('mutant-worker.ts', import.meta.url);
/** A mutant that loops for ever has not booted anything either. */
const LIMIT_MS = 30_000;
const AT_ONCE = 2;
const TARGET = 0.95;

/** Drawn images that a survivor is asked about. */
const SECOND_LOOK = 20_000;

interface Tried {
  readonly file: string;
  readonly url: string;
  readonly mutant: SourceMutant;
  readonly fate: MutantReport | 'broken' | 'endless';
}

async function mutate(count: number | undefined, seed: number, say: (line: string) => void): Promise<SoakReport> {
  const dice = new Dice(seed);
  const input = makeCorpus(dice, 2000);
  const expected = observe(input);
  const all = FILES.flatMap((file) => {
    const url = new URL(file, PACKAGES);
    return mutantsOf(readFileSync(url, 'utf8'), file).map((mutant) => ({ file, mutant, url: url.href }));
  });
  const chosen = count === undefined ? all : all.filter(() => dice.below(all.length) < count);
  say(`${chosen.length} mutants of ${FILES.length} files, ${expected.length} cases`);
  const waiting = chosen.values();
  const tried: Tried[] = [];
  const lane = async (): Promise<void> => {
    for (const { file, mutant, url } of waiting) {
      tried.push({ file, url, mutant, fate: await tryMutant({ url, source: mutant.source, input, expected }) });
      if (tried.length % 100 === 0) say(`${tried.length} tried`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const reckless = await recklessSurvivors(tried, dice);
  return reportOf(tried, reckless, { input, expected }, say);
}

/** Survivors that run an image the unchanged code refuses, among many more images, of other keys. */
async function recklessSurvivors(tried: readonly Tried[], dice: Dice): Promise<readonly Tried[]> {
  const input = makeCorpus(dice, SECOND_LOOK);
  const expected = observe(input);
  const found: Tried[] = [];
  for (const survivor of tried.filter(survives)) {
    const { url, mutant } = survivor;
    const fate = await tryMutant({ url, source: mutant.source, input, expected });
    if (typeof fate === 'object' && fate.wrong.length > 0) found.push(survivor);
  }
  return found;
}

function survives({ fate }: Tried): boolean {
  return typeof fate === 'object' && fate.differs === undefined;
}

function tryMutant(order: MutantOrder): Promise<Tried['fate']> {
  const { promise, resolve } = Promise.withResolvers<Tried['fate']>();
  const worker = new Worker(WORKER, { workerData: order, stderr: true });
  const timer = setTimeout(() => resolve('endless'), LIMIT_MS);
  worker.on('message', (report: MutantReport) => resolve(report));
  worker.on('error', () => resolve('broken'));
  return promise.finally(() => {
    clearTimeout(timer);
    void worker.terminate();
  });
}

interface Asked {
  readonly input: TrialInput;
  readonly expected: readonly string[];
}

function reportOf(
  tried: readonly Tried[],
  reckless: readonly Tried[],
  { input, expected }: Asked,
  say: (line: string) => void,
): SoakReport {
  const survivors = tried.filter(survives);
  for (const { file, mutant } of survivors) say(`survives: ${file}:${mutant.line} ${mutant.change}`);
  const share = 1 - survivors.length / Math.max(tried.length, 1);
  const caught = tried.filter(({ fate }) => typeof fate === 'object' && fate.wrong.length > 0).length;
  const few = share < TARGET ? [`only ${percent(share)} of the mutants were killed`] : [];
  const named = reckless.map(({ file, mutant }) => `${file}:${mutant.line} ${mutant.change} runs a bad image`);
  return {
    facts: {
      mutants: tried.length,
      killed: percent(share),
      'killed for taking a bad image': caught,
      survivors: survivors.length,
      'survivors that take a bad image': reckless.length,
      images: input.cases.length,
      'good ones among them': expected.filter((line) => line.startsWith('accepted')).length,
      'chips driven': input.chips.length,
      'boots from the first stage': expected.length - input.cases.length - input.chips.length,
    },
    faults: [...few, ...named],
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export const bootMutants: Soak = {
  name: 'boot-mutants',
  words: "the boot code's verify path with one condition, check or limit changed, asked about images good and bad",
  run: mutate,
};
