import { concatBytes } from '@holdfast/kernel';
import { decodeMcubootImage, encodeTlvArea, SIGNATURE_TLVS } from '@holdfast/wire/mcuboot';
import { publish } from '../../factory/factory.ts';
import { PRODUCT, type Stage } from '../stage.ts';
import { EXTRA } from '../story/extras.ts';
import { findingOf, type Finding, type Observation, type Trial } from '../trial.ts';
import { flashAndReset } from './flash.ts';
import { problemOf } from './problem-of.ts';

/** A version nobody has published: the version alone must not be why an image is refused. */
const UNUSED_VERSION = '9.9.9';

const SIGNATURES: ReadonlySet<number> = new Set(SIGNATURE_TLVS);

interface ImageAttack {
  readonly image: Uint8Array;
  readonly securityCounter: number;
  /** What the server answers to a release with it. */
  readonly server: string;
  /** What the bootloader answers when it lies in the flash all the same. */
  readonly bootloader: string;
}

/** Both who could be fooled: the server that publishes, and the bootloader behind everything else. */
async function tryImage(stage: Stage, attack: ImageAttack, before: readonly Observation[] = []): Promise<Finding> {
  const { image, securityCounter, server, bootloader } = attack;
  const wish = { product: PRODUCT, version: UNUSED_VERSION, securityCounter, firmware: image, signed: true };
  const answer = await problemOf(publish(stage.client, wish));
  const { refusedWith = 'accepted', runs } = flashAndReset(stage.hub(EXTRA.bench), image);
  return findingOf([
    ...before,
    ['server', answer, answer === server],
    ['bootloader', refusedWith, refusedWith === bootloader],
    ['still runs', runs, runs === stage.firmware.newer.version],
  ]);
}

export const FLIPPED_BIT: Trial = {
  name: 'flipped-bit',
  title: 'one bit flipped in a rightly signed image',
  expected: 'no release is made of it, and no bootloader starts it',
  async perform(stage) {
    const good = stage.image(stage.firmware.newer.version);
    const bench = stage.hub(EXTRA.bench);
    // The bench takes what it should: else its refusals say nothing. Unconfirmed, it goes back at the next reset.
    const control = flashAndReset(bench, good).refusedWith ?? 'accepted';
    bench.made.device.boot();
    const image = good.slice();
    const at = image.length >> 1;
    image[at] = (image[at] ?? 0) ^ 0x10;
    const hash = 'boot.hash_mismatch';
    const server = `update.image_refused (${hash})`;
    return tryImage(stage, { image, securityCounter: 3, server, bootloader: hash }, [
      ['untouched, on the bench', control, control === 'accepted'],
    ]);
  },
};

export const UNSIGNED_IMAGE: Trial = {
  name: 'unsigned-image',
  title: 'the same image without its signature',
  expected: 'no release is made of it, and no bootloader starts it',
  perform(stage) {
    const unsigned = 'boot.signature_missing';
    return tryImage(stage, {
      image: withoutSignature(stage.image(stage.firmware.newer.version)),
      securityCounter: 3,
      server: `update.image_refused (${unsigned})`,
      bootloader: unsigned,
    });
  },
};

export const OLDER_COUNTER: Trial = {
  name: 'older-counter',
  title: 'the older firmware with its right signature, to a device that has left it behind',
  expected: 'no release may go back, and the counter in the fuses stops the bootloader',
  perform: (stage) =>
    tryImage(stage, {
      image: stage.image(stage.firmware.older.version),
      securityCounter: 1,
      server: 'update.counter_below_highest',
      bootloader: 'boot.counter_too_low',
    }),
};

/** The image with every entry but the signature: header, payload and hash stand as they were. */
function withoutSignature(image: Uint8Array): Uint8Array {
  const { covered, unprotectedTlvs } = decodeMcubootImage(image);
  const kept = unprotectedTlvs.filter(({ type }) => !SIGNATURES.has(type));
  return concatBytes(covered, encodeTlvArea('unprotected', kept));
}
