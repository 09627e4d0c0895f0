import { equalBytes, HoldfastError } from '@holdfast/kernel';
import { decodeNsibFirmwareInfo, decodeNsibImage, encodeNsibImage, type NsibImage } from '@holdfast/wire/nordic';
import { rawP256 } from './p256-signature.ts';
import { verifySignature } from '../keys/verify.ts';
import { sha256 } from '../primitives/hash.ts';
import type { NordicPublicKey } from './public-key.ts';

/** What a verifier of NSIB images demands beyond a good signature. */
export interface NsibPolicy {
  /** Lowest version; the version is the counter of this bootloader. */
  readonly minCounter?: number;
  /** Flash address of the slot the image is for. */
  readonly address?: number;
  readonly hardwareId?: number;
}

export interface AcceptedNsibImage extends NsibImage {
  readonly key: NordicPublicKey;
}

/**
 * Judges an image and its validation block. The signature is over the SHA-256 of the firmware as its message, so that the
 * firmware is hashed twice.
 *
 * @throws `boot.hash_mismatch` (boot code does not look at the stored digest), `boot.unknown_key`, `boot.bad_signature`,
 * `boot.wrong_device`, `boot.counter_too_low`, and the decoder's errors
 * @see sdk-nrf subsys/bootloader/bl_validation/bl_validation.c, bl_crypto/bl_crypto.c
 */
export function judgeNsibImage(
  bytes: Uint8Array,
  keys: readonly NordicPublicKey[],
  policy: NsibPolicy = {},
): AcceptedNsibImage {
  const image = decodeNsibImage(bytes);
  const { info, firmware, validation } = image;
  const digest = sha256(firmware);
  if (!equalBytes(digest, validation.digest)) throw new HoldfastError('boot.hash_mismatch', { field: 'digest' });
  const key = keys.find(({ point }) => equalBytes(point, validation.publicKey));
  if (key === undefined) throw new HoldfastError('boot.unknown_key', { keys: keys.length });
  if (!verifySignature('ecdsa-p256-sha256', key.key, digest, validation.signature, 'ieee-p1363'))
    throw new HoldfastError('boot.bad_signature');
  if (policy.address !== undefined && info.address !== policy.address)
    throw new HoldfastError('boot.wrong_device', { field: 'address', found: info.address });
  if (policy.hardwareId !== undefined && info.hardwareId !== policy.hardwareId)
    throw new HoldfastError('boot.wrong_device', { field: 'hardware id', found: info.hardwareId });
  if (policy.minCounter !== undefined && info.version < policy.minCounter)
    throw new HoldfastError('boot.counter_too_low', { counter: info.version, minCounter: policy.minCounter });
  return { ...image, key };
}

export interface NsibSignOptions {
  /** The device keeps the version in a hardware counter of 15 bits. Default true. */
  readonly hardwareCounter?: boolean;
}

export interface PreparedNsibImage {
  readonly algorithm: 'ecdsa-p256-sha256';
  /** The 32-byte digest of the firmware, which the algorithm hashes again. */
  readonly message: Uint8Array;
  /** @param signature - DER. @throws `boot.signature_encoding` */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

const COUNTER_LIMIT = 0x7fff;

/**
 * Says what has to be signed for firmware that was built with its information structure in it.
 *
 * @throws `boot.bad_magic`, `boot.bad_header`, and `boot.bad_option` for a version beyond the hardware counter
 */
export function prepareNsibImage(
  firmware: Uint8Array,
  { hardwareCounter = true }: NsibSignOptions,
  key: NordicPublicKey,
): PreparedNsibImage {
  const { version, size } = decodeNsibFirmwareInfo(firmware);
  if (size !== firmware.length)
    throw new HoldfastError('boot.bad_header', { field: 'size', size, found: firmware.length });
  if (hardwareCounter && version > COUNTER_LIMIT)
    throw new HoldfastError('boot.bad_option', { option: 'version', version, limit: COUNTER_LIMIT });
  const digest = sha256(firmware);
  return {
    algorithm: 'ecdsa-p256-sha256',
    message: digest,
    finish: (signature) => encodeNsibImage(firmware, { digest, publicKey: key.point, signature: rawP256(signature) }),
  };
}
