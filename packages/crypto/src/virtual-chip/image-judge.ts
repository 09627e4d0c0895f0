import { type ErrorCode, HoldfastError } from '@holdfast/kernel';
import { decodeEspAppImage, type EspChip, SECTOR_LENGTH } from '@holdfast/wire/esp32';
import { formatVersion, hasFlag, MCUBOOT_FLAG, type McubootVersion } from '@holdfast/wire/mcuboot';
import { type EspPublicKey, judgeSecureBootV2 } from '../esp32/index.ts';
import { type McubootPolicy, type McubootPublicKey, verifyMcubootImage } from '../mcuboot/index.ts';
import type { HashAlgorithm } from '../primitives/hash.ts';

/** An image that boot code would run; byte arrays are views of the slot it was judged in. */
export interface AcceptedImage {
  readonly kind: 'accepted';
  /** Bytes from the start of the slot, signature included. */
  readonly size: number;
  readonly version: string;
  /** Larger for a later version, for boot code that chooses by it. */
  readonly rank: bigint;
  /** Undefined when the image has none. */
  readonly securityCounter: number | undefined;
  readonly digest: Uint8Array;
  readonly digestAlgorithm: HashAlgorithm;
  /** What the signature covers. */
  readonly covered: Uint8Array;
  /** What runs. */
  readonly payload: Uint8Array;
  /** The public key that signed it, as the format names it. */
  readonly authority: Uint8Array;
}

export type ImageVerdict = AcceptedImage | { readonly kind: 'refused'; readonly code: ErrorCode };

/** What the place and the fuses demand of an image. */
export interface JudgeTerms {
  /** The image must have a counter of at least this; without it, it needs none. */
  readonly minCounter?: number;
  /** Of the slot, for images linked to one. */
  readonly address: number;
}

/** Judges the content of a slot: an image, then anything. The boot code's verify step, without its keys. */
export type ImageJudge = (slot: Uint8Array, terms: JudgeTerms) => ImageVerdict;

/** Verifies as MCUboot does, as strictly as `verifyMcubootImage`. */
export function mcubootJudge(keys: readonly McubootPublicKey[], policy: McubootPolicy = {}): ImageJudge {
  return (slot, { address, ...terms }) => {
    const verdict = verifyMcubootImage(slot, keys, { ...policy, ...terms, tail: 'slot' });
    if (verdict.kind === 'refused') return { kind: 'refused', code: verdict.code };
    const { header, covered, bytes } = verdict.image;
    // Code linked to one slot would jump into the other.
    if (hasFlag(header, MCUBOOT_FLAG.romFixed) && header.loadAddress !== address)
      return { kind: 'refused', code: 'boot.wrong_device' };
    return {
      kind: 'accepted',
      size: bytes.length,
      version: formatVersion(header.version),
      rank: rankOf(header.version),
      securityCounter: verdict.securityCounter,
      digest: verdict.digest,
      digestAlgorithm: verdict.hash,
      covered,
      payload: verdict.payload,
      authority: verdict.key.bytes,
    };
  };
}

/** Verifies a secure boot v2 application as the ESP-IDF bootloader does. */
export function espJudge(keys: readonly EspPublicKey[], chip: EspChip): ImageJudge {
  return (slot, { minCounter }) => {
    const counter = minCounter === undefined ? {} : { minCounter };
    try {
      const { length } = decodeEspAppImage(slot);
      const size = (Math.ceil(length / SECTOR_LENGTH) + 1) * SECTOR_LENGTH;
      const { covered, digest, key, app } = judgeSecureBootV2(slot.subarray(0, size), keys, { ...counter, chip });
      return {
        kind: 'accepted',
        size,
        version: app?.descriptor?.version ?? '',
        rank: 0n,
        securityCounter: app?.descriptor?.secureVersion,
        digest,
        digestAlgorithm: digest.length === 48 ? 'sha384' : 'sha256',
        covered,
        payload: covered,
        authority: key.field,
      };
    } catch (error) {
      if (!HoldfastError.is(error)) throw error;
      return { kind: 'refused', code: error.code };
    }
  };
}

function rankOf({ major, minor, revision, build }: McubootVersion): bigint {
  return (BigInt(major) << 56n) | (BigInt(minor) << 48n) | (BigInt(revision) << 32n) | BigInt(build);
}
