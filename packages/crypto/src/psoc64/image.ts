import { HoldfastError } from '@holdfast/kernel';
import { findTlv, parseVersion } from '@holdfast/wire/mcuboot';
import type { Psoc64Policy } from '@holdfast/wire/psoc64';
import {
  type AcceptedMcubootImage,
  type McubootPublicKey,
  type McubootSignOptions,
  prepareMcubootImage,
  type PreparedMcubootImage,
  verifyMcubootImage,
} from '../mcuboot/index.ts';

/** What a signer is told about an image beside its payload and key: the rest is fixed by the bootloader. */
export interface Psoc64SignOptions {
  /** 1 for the first core or both, 16 for the second. */
  readonly imageId: number;
  /** `major.minor.revision+build`, or shorter. */
  readonly version: string;
  readonly rollbackCounter: number;
  readonly slotSize: number;
  /** Whether it is programmed where it runs, or put where updates wait. */
  readonly kind: 'boot' | 'upgrade';
  /** Updates wait in external memory, which erases to ones. Default false. */
  readonly external?: boolean;
  /** Default `overwrite`. */
  readonly upgradeMode?: 'overwrite' | 'swap';
}

/** What a verifier of PSoC 64 images demands beyond a good signature. */
export interface Psoc64ImagePolicy {
  readonly minCounter?: number;
  readonly imageId?: number;
}

export interface AcceptedPsoc64Image extends AcceptedMcubootImage {
  readonly imageId: number;
  readonly securityCounter: number;
}

/** Signed entry that names the slot; below the range that today's imgtool allows. */
export const PSOC64_IMAGE_ID_TLV = 0x81;
const HEADER_SIZE = 0x400;
const ALIGN = 8;
const BOOT_RECORD = 'default';
const DECODE = { vendorTypes: [PSOC64_IMAGE_ID_TLV], headerFilling: true } as const;

/**
 * Lays an image out with the arguments CyBootloader expects and says what has to be signed.
 *
 * @throws `boot.unsupported_key` for anything but P-256, `boot.bad_option`, `boot.bad_version`, `boot.image_too_large`
 * @see cysecuretools targets/common/mxs40v1/signtool_mxs40v1.py
 */
export function preparePsoc64Image(
  payload: Uint8Array,
  options: Psoc64SignOptions,
  key: McubootPublicKey,
): PreparedMcubootImage {
  checkKey(key);
  const { imageId, kind, slotSize, external = false, upgradeMode = 'overwrite' } = options;
  if (!Number.isInteger(imageId) || imageId < 1 || imageId > 0xff)
    throw new HoldfastError('boot.bad_option', { option: 'image-id' });
  const spec: McubootSignOptions = {
    version: parseVersion(options.version),
    headerSize: HEADER_SIZE,
    padHeader: true,
    erasedValue: external && kind === 'upgrade' ? 0xff : 0x00,
    headerFilling: true,
    securityCounter: options.rollbackCounter,
    bootRecord: BOOT_RECORD,
    vendorTypes: DECODE.vendorTypes,
    custom: [{ type: PSOC64_IMAGE_ID_TLV, value: Uint8Array.of(imageId) }],
    slot: {
      size: slotSize,
      writeSize: ALIGN,
      align: ALIGN,
      overwriteOnly: upgradeMode === 'overwrite',
      pad: kind === 'upgrade',
    },
  };
  return prepareMcubootImage(payload, spec, key);
}

/**
 * Judges an image as CyBootloader does, and holds it to the arguments its vendor's tool always gives.
 *
 * @throws `boot.bad_header`, `boot.bad_tlv`, `boot.counter_missing`, `boot.wrong_device` for another slot, and every
 * refusal of {@link verifyMcubootImage}
 */
export function judgePsoc64Image(
  bytes: Uint8Array,
  keys: readonly McubootPublicKey[],
  policy: Psoc64ImagePolicy = {},
): AcceptedPsoc64Image {
  for (const key of keys) checkKey(key);
  const { minCounter = 0, imageId: wanted } = policy;
  const verdict = verifyMcubootImage(bytes, keys, { ...DECODE, minCounter });
  if (verdict.kind === 'refused') throw new HoldfastError(verdict.code, verdict.details);
  const { header, protectedTlvs } = verdict.image;
  if (header.headerSize !== HEADER_SIZE)
    throw new HoldfastError('boot.bad_header', { field: 'ih_hdr_size', value: header.headerSize });
  const slot = findTlv(protectedTlvs, PSOC64_IMAGE_ID_TLV);
  const [imageId] = slot ?? [];
  if (imageId === undefined || slot?.length !== 1) throw new HoldfastError('boot.bad_tlv', { tlv: 'image id' });
  if (wanted !== undefined && imageId !== wanted)
    throw new HoldfastError('boot.wrong_device', { field: 'image id', found: imageId });
  return { ...verdict, imageId, securityCounter: verdict.securityCounter ?? 0 };
}

/** The options that a device policy fixes for one of its images. @throws `boot.bad_policy` when the policy has no such image */
export function psoc64OptionsOf({ slots }: Psoc64Policy, imageId: number, kind: 'boot' | 'upgrade'): Psoc64SignOptions {
  const slot = slots.find(({ id }) => id === imageId);
  const region = kind === 'boot' ? slot?.boot : slot?.upgrade;
  if (slot === undefined || region === undefined)
    throw new HoldfastError('boot.bad_policy', { slot: imageId, rule: kind });
  // The vendor's variant of an encrypted image is not the one MCUboot documents.
  if (slot.encrypted && kind === 'upgrade')
    throw new HoldfastError('boot.bad_policy', { slot: imageId, rule: 'encrypt' });
  const { version, rollbackCounter, smifId, upgradeMode } = slot;
  return { imageId, version, rollbackCounter, slotSize: region.size, kind, external: smifId > 0, upgradeMode };
}

function checkKey({ kind }: McubootPublicKey): void {
  if (kind !== 'ecdsa-p256') throw new HoldfastError('boot.unsupported_key', { kind });
}
