import { concatBytes } from '@holdfast/kernel';
import { decodeMcubootImage, encodeTlvArea, SIGNATURE_TLVS } from '@holdfast/wire/mcuboot';
import { publish } from '../../factory/factory.ts';
import { PRODUCT, type Stage } from '../stage.ts';
import { EXTRA } from '../story/extras.ts';
import { findingOf, type Finding, type Trial } from '../trial.ts';
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
async function tryImage(stage: Stage, { image, securityCounter, server, bootloader }: ImageAttack): Promise<Finding> {
  const wish = { product: PRODUCT, version: UNUSED_VERSION, securityCounter, firmware: image, signed: true };
  const answer = await problemOf(publish(stage.client, wish));
  const { refusedWith = 'accepted', runs } = flashAndReset(stage.hub(EXTRA.bench), image);
  return findingOf([
    ['server', answer, answer === server],
    ['bootloader', refusedWith, refusedWith === bootloader],
    ['still runs', runs, runs === stage.firmware.newer.version],
  ]);
}

export const FLIPPED_BIT: Trial = {
  name: 'flipped-bit',
  title: 'one bit flipped in a rightly signed image',
  expected: 'no release is made of it, and no bootloader starts it',
  perform(stage) {
    const image = stage.image(stage.firmware.newer.version).slice();
    const at = image.length >> 1;
    image[at] = (image[at] ?? 0) ^ 0x10;
    const hash = 'boot.hash_mismatch';
    return tryImage(stage, {
      image,
      securityCounter: 3,
      server: `update.image_refused (${hash})`,
      bootloader: hash,
    });
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
