import { createSigner, espPublicKey, generatePrivateKey, mcubootPublicKey } from '@holdfast/crypto';
import {
  type ChipId,
  CHIPS,
  counterCeiling,
  espJudge,
  type ImageJudge,
  mcubootJudge,
  rememberVerdicts,
  type StrategyName,
} from '@holdfast/crypto/virtual-chip';
import { ByteReader, HoldfastError } from '@holdfast/kernel';
import { findEspChip } from '@holdfast/wire/esp32';
import { decodeMcubootImage, MCUBOOT_FLAG, parseVersion } from '@holdfast/wire/mcuboot';
import type { ImageFormatName } from './formats.ts';
import type { AcceptedImage } from './image-format.ts';
import { prepareImage } from './image-signer.ts';

const PSOC64_SLOT_ID = 0x81;

/** How a virtual chip boots the images of one format. */
export interface RehearsalWorld {
  /** Chips that boot the format; the first is taken unless the image or the product names another. */
  readonly chips: readonly [ChipId, ...ChipId[]];
  /** The chip an image says it is for. */
  chipOf?(image: Uint8Array): ChipId | undefined;
  /** Boot code that holds these keys. @param keys - SubjectPublicKeyInfo each */
  judge(keys: readonly Uint8Array[], chip: ChipId): ImageJudge;
  /** The same firmware signed by a key that was made for this moment. */
  forge(image: AcceptedImage, chip: ChipId): Promise<Uint8Array>;
  /** The image as one for another chip, as far as its bytes can say so. */
  estrange(image: Uint8Array): Uint8Array;
}

const MCUBOOT_WORLD: RehearsalWorld = {
  chips: ['nrf52840', 'stm32l4', 'stm32f4', 'lpc55s69', 'psoc64'],
  judge: (keys) => mcubootJudge(keys.map((spki) => mcubootPublicKey(spki))),
  forge: forgeMcuboot,
  estrange: withOtherMagic,
};

/** MCUboot with the slot's number in a vendor entry (cysecuretools signtool.py). */
const PSOC64_WORLD: RehearsalWorld = {
  chips: ['psoc64'],
  judge: (keys) =>
    mcubootJudge(
      keys.map((spki) => mcubootPublicKey(spki)),
      { vendorTypes: [PSOC64_SLOT_ID] },
    ),
  forge: forgeMcuboot,
  estrange: withOtherMagic,
};

const ESP_CHIP_ID_AT = 12;

const ESP32_WORLD: RehearsalWorld = {
  chips: ['esp32', 'esp32-c3'],
  chipOf(image) {
    const id = new ByteReader(image.subarray(ESP_CHIP_ID_AT)).u16le('chip id');
    return ESP32_WORLD.chips.find((chip) => findEspChip(chip)?.id === id);
  },
  judge(keys, chip) {
    const esp = findEspChip(chip);
    if (esp === undefined) throw new HoldfastError('boot.bad_option', { option: 'chip' });
    return espJudge(keys.map(espPublicKey), esp);
  },
  forge: async ({ payload }, chip) => forged('esp32-v2', payload, {}, chip === 'esp32' ? 'rsa-3072' : 'P-256'),
  estrange(image) {
    const copy = Uint8Array.from(image);
    copy[ESP_CHIP_ID_AT] = (copy[ESP_CHIP_ID_AT] ?? 0) ^ 0x0f;
    return copy;
  },
};

/** Formats that a virtual chip boots from its flash; a Linux bundle is unpacked first and has no row. */
export const REHEARSAL_WORLDS: Readonly<Partial<Record<ImageFormatName, RehearsalWorld>>> = {
  mcuboot: MCUBOOT_WORLD,
  psoc64: PSOC64_WORLD,
  'esp32-v2': ESP32_WORLD,
};

/**
 * Boot code for one pair of images. Where neither has a counter the chip asks for none, as boot code built without
 * rollback protection does.
 */
export function bootCode(
  world: RehearsalWorld,
  { keys, chip, counted }: { readonly keys: readonly Uint8Array[]; readonly chip: ChipId; readonly counted: boolean },
): ImageJudge {
  const judge = rememberVerdicts(world.judge(keys, chip));
  return counted ? judge : (slot, { address }) => judge(slot, { address });
}

/** What a rehearsal is asked to boot on. */
export interface BootingWish {
  readonly chip?: string | undefined;
  readonly strategy?: string | undefined;
}

export interface Booting {
  readonly chip: ChipId;
  readonly strategy: StrategyName;
}

/**
 * The chip and the way to boot: as told, as the image says, or the first whose fuses can hold the counter.
 *
 * @throws `boot.bad_option` for a chip that does not boot the format, or a strategy the chip does not have
 */
export function bootingOf(
  world: RehearsalWorld,
  { bytes, securityCounter }: AcceptedImage,
  wish: BootingWish,
): Booting {
  const holding = world.chips.find((chip) => counterCeiling(CHIPS[chip].counter) >= (securityCounter ?? 0));
  return booting(world, wish, world.chipOf?.(bytes) ?? holding ?? world.chips[0]);
}

/**
 * The chip and the way to boot of a product that names them.
 *
 * @throws `boot.bad_option` as {@link bootingOf}, and for a format that no virtual chip boots
 */
export function checkBooting(format: ImageFormatName, wish: BootingWish): Booting {
  const world = REHEARSAL_WORLDS[format];
  if (world === undefined) throw new HoldfastError('boot.bad_option', { option: 'chip', format });
  return booting(world, wish, world.chips[0]);
}

function booting(world: RehearsalWorld, wish: BootingWish, usual: ChipId): Booting {
  const named = world.chips.find((chip) => chip === wish.chip);
  if (wish.chip !== undefined && named === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'chip', allowed: world.chips.join(' ') });
  const chip = named ?? usual;
  const strategies: readonly StrategyName[] = CHIPS[chip].strategies;
  const strategy = strategies.find((name) => name === (wish.strategy ?? strategies[0]));
  if (strategy === undefined)
    throw new HoldfastError('boot.bad_option', { option: 'strategy', allowed: strategies.join(' ') });
  return { chip, strategy };
}

/** Whether an MCUboot image runs at one address only, so that a virtual slot elsewhere would refuse it. */
export function isLinkedToSlot(format: ImageFormatName, image: Uint8Array): boolean {
  return format === 'mcuboot' && (decodeMcubootImage(image).header.flags & MCUBOOT_FLAG.romFixed) !== 0;
}

async function forgeMcuboot({ bytes, payload, version, securityCounter }: AcceptedImage): Promise<Uint8Array> {
  const { header } = decodeMcubootImage(bytes, { vendorTypes: [PSOC64_SLOT_ID] });
  const counter = securityCounter === undefined ? {} : { securityCounter };
  const options = { version: parseVersion(version), headerSize: header.headerSize, padHeader: true, ...counter };
  return forged('mcuboot', payload, options);
}

type ForgedFormat = 'mcuboot' | 'esp32-v2';

async function forged<Name extends ForgedFormat>(
  format: Name,
  payload: Uint8Array,
  options: Parameters<typeof prepareImage<Name>>[2],
  kind: 'P-256' | 'rsa-3072' = 'P-256',
): Promise<Uint8Array> {
  const key = await generatePrivateKey(kind);
  const prepared = prepareImage(format, payload, options, { publicKeySpki: key.publicKey.spki });
  const { algorithm, message } = prepared.request;
  if (algorithm === 'ecdsa-p192-sha256') throw new HoldfastError('boot.unsupported_key', { algorithm });
  return prepared.finish(await createSigner(key, algorithm).sign(message));
}

/** Images of other chips' formats begin with another word. */
function withOtherMagic(image: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(image);
  copy[0] = 0xe9;
  return copy;
}
