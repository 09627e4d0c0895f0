import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { ByteWriter, encodeUtf8, seededRandom } from '@holdfast/kernel';
import { type EspChip, findEspChip } from '@holdfast/wire/esp32';
import { espPublicKey, prepareSecureBootV2 } from '../../esp32/index.ts';
import { mcubootPublicKey } from '../../mcuboot/index.ts';
import { CHIPS, type ChipId, type StrategyName } from '../chips.ts';
import { type CutTrial, prepareCutTrial, rememberVerdicts } from '../cut-trial.ts';
import { espJudge, type ImageJudge, mcubootJudge } from '../image-judge.ts';
import { createVirtualChip } from '../virtual-chip.ts';
import { makeTestKey, signTestImage, type TestImage, type TestKey } from './images.ts';

/** A chip and a way to boot it. */
export interface Booting {
  readonly chip: ChipId;
  readonly strategy: StrategyName;
}

/** Every chip with every strategy its boot code has. */
export const BOOTINGS: readonly Booting[] = (Object.keys(CHIPS) as ChipId[]).flatMap((chip) =>
  CHIPS[chip].strategies.map((strategy) => ({ chip, strategy })),
);

export const named = ({ chip, strategy }: Booting): string => `${chip} ${strategy}`;

/** What signs images for a chip and what verifies them there. */
interface ImageWorld {
  readonly judge: ImageJudge;
  readonly sign: (image: TestImage) => Uint8Array;
}

export function imageWorld(chip: ChipId, key: TestKey = makeTestKey()): ImageWorld {
  const esp = chip.startsWith('esp32') ? findEspChip(chip) : undefined;
  if (esp === undefined) {
    const judge = mcubootJudge([mcubootPublicKey(key.privateKey)]);
    return { judge, sign: (image) => signTestImage(key, image) };
  }
  const judge = espJudge([espPublicKey(key.spki)], esp);
  return { judge, sign: (image) => signEspImage(key.privateKey, esp, image) };
}

const DESCRIPTOR = 256;

/** A secure boot v2 application of one segment, with a descriptor. */
function signEspImage(
  key: KeyObject,
  { id }: EspChip,
  { version = '1.0.0', counter = 1, size = 300 }: TestImage = {},
): Uint8Array {
  const seed = encodeUtf8(version).reduce((sum, byte) => sum * 31 + byte, 7);
  const data = new Uint8Array(DESCRIPTOR + Math.ceil(size / 4) * 4);
  data.set(seededRandom(seed).bytes(data.length - DESCRIPTOR), DESCRIPTOR);
  const view = new DataView(data.buffer);
  view.setUint32(0, 0xabcd5432, true);
  view.setUint32(4, counter, true);
  data.set(encodeUtf8(version), 16);
  const writer = new ByteWriter().u8(0xe9).u8(1).u8(2).u8(0x20).u32le(0x400d0000).fill(0xee, 4);
  writer.u16le(id).fill(0, 9).u8(0);
  writer.u32le(0x3c000020).u32le(data.length).bytes(data);
  writer.fill(0, 15 - (writer.length % 16)).u8(data.reduce((sum, byte) => sum ^ byte, 0xef));
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const prepared = prepareSecureBootV2(writer.finish(), {}, espPublicKey(spki));
  return prepared.finish(sign('sha256', prepared.message, key));
}

interface TrialSizes {
  /** Bytes of payload of the first and of the second image. */
  readonly from: number;
  readonly to: number;
}

const KEY = makeTestKey();

/** A small chip that runs version 1.0.0 with counter 1 and is sent 2.0.0 with counter 3. */
export function smallTrial(booting: Booting, sizes: TrialSizes = { from: 700, to: 900 }): CutTrial {
  const world = imageWorld(booting.chip, KEY);
  const from = world.sign({ version: '1.0.0', counter: 1, size: sizes.from });
  const to = world.sign({ version: '2.0.0', counter: 3, size: sizes.to });
  const smallest = Math.max(from.length, to.length);
  const chip = createVirtualChip(booting.chip, {
    strategy: booting.strategy,
    smallest,
    judge: rememberVerdicts(world.judge),
  });
  const trial = prepareCutTrial(chip, { from, to });
  if ('kind' in trial) throw new Error(`${named(booting)}: ${trial.step} ${JSON.stringify(trial.verdict)}`);
  return trial;
}
