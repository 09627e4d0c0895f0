import { equalBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeNrf5Package,
  encodeNrf5InitCommand,
  encodeNrf5InitPacket,
  encodeNrf5Package,
  type Nrf5BootValidation,
  type Nrf5BootValidationType,
  type Nrf5Firmware,
  type Nrf5FirmwareType,
  type Nrf5InitCommand,
} from '@holdfast/wire/nordic';
import { rawP256 } from './p256-signature.ts';
import { verifySignature } from '../keys/verify.ts';
import { sha256 } from '../primitives/hash.ts';
import { type NordicPublicKey, swapHalves } from './public-key.ts';

/** What a verifier of Secure DFU packages demands beyond a good signature. */
export interface Nrf5Policy {
  /** Lowest firmware version; the version is the counter of these bootloaders. */
  readonly minCounter?: number;
  readonly hardwareVersion?: number;
  /** Firmware id of the SoftDevice the device runs. */
  readonly softdevice?: number;
  /** Accept packets with the debug mark, which switches version checks off. Default false. */
  readonly allowDebug?: boolean;
}

export interface AcceptedNrf5Package {
  /** In the order a device gets them; at least one. */
  readonly firmwares: readonly Nrf5Firmware[];
  readonly main: Nrf5Firmware;
  readonly key: NordicPublicKey;
}

const ANY_SOFTDEVICE = 0xfffe;

/**
 * Judges a package: every firmware in it is signed by one trusted key, is the very binary its packet names, and fits the
 * device.
 *
 * @throws `boot.signature_missing`, `boot.signature_encoding`, `boot.bad_signature`, `boot.hash_mismatch`,
 * `boot.debug_image`, `boot.wrong_device`, `boot.counter_too_low`, and the decoder's errors
 * @see nRF5 SDK components/libraries/bootloader/dfu/nrf_dfu_validation.c
 */
export function judgeNrf5Package(
  bytes: Uint8Array,
  keys: readonly NordicPublicKey[],
  policy: Nrf5Policy = {},
): AcceptedNrf5Package {
  const firmwares = decodeNrf5Package(bytes);
  const signers = firmwares.map((firmware) => judgeFirmware(firmware, keys, policy));
  const [key] = signers;
  const main = firmwares.at(-1);
  if (key === undefined || main === undefined) throw new HoldfastError('boot.signature_missing');
  if (signers.some((signer) => signer !== key)) throw new HoldfastError('boot.unknown_key', { reason: 'two signers' });
  return { firmwares, main, key };
}

function judgeFirmware(
  { packet, image }: Nrf5Firmware,
  keys: readonly NordicPublicKey[],
  policy: Nrf5Policy,
): NordicPublicKey {
  const { signature, signed, command } = packet;
  if (signature === undefined) throw new HoldfastError('boot.signature_missing', { type: command.type });
  const key = signerOf(signed, signature, keys);
  if (!equalBytes(sha256(image), command.hash)) throw new HoldfastError('boot.hash_mismatch', { type: command.type });
  for (const validation of command.bootValidations) judgeBootValidation(validation, image, key);
  checkPolicy(command, policy);
  return key;
}

function signerOf(message: Uint8Array, signature: Uint8Array, keys: readonly NordicPublicKey[]): NordicPublicKey {
  if (signature.length !== 64) throw new HoldfastError('boot.signature_encoding', { size: signature.length });
  const raw = swapHalves(signature);
  const found = keys.find(({ key }) => verifySignature('ecdsa-p256-sha256', key, message, raw, 'ieee-p1363'));
  if (found === undefined) throw new HoldfastError('boot.bad_signature', { keys: keys.length });
  return found;
}

const VALIDATION_LENGTHS: Readonly<Record<Nrf5BootValidationType, readonly number[]>> = {
  none: [0],
  crc: [0, 4],
  sha256: [0, 32],
  ecdsa: [64],
};

/** The bootloader checks this again at every start, with the same key. */
function judgeBootValidation({ type, bytes }: Nrf5BootValidation, image: Uint8Array, key: NordicPublicKey): void {
  if (!VALIDATION_LENGTHS[type].includes(bytes.length))
    throw new HoldfastError('boot.bad_header', { field: 'boot validation', size: bytes.length });
  if (type === 'ecdsa') signerOf(image, bytes, [key]);
}

function checkPolicy(
  command: Nrf5InitCommand,
  { minCounter, hardwareVersion, softdevice, allowDebug }: Nrf5Policy,
): void {
  if (command.isDebug && allowDebug !== true) throw new HoldfastError('boot.debug_image');
  if (hardwareVersion !== undefined && command.hardwareVersion !== hardwareVersion)
    throw new HoldfastError('boot.wrong_device', { field: 'hw_version', found: command.hardwareVersion });
  const { softdevices } = command;
  if (softdevice !== undefined && !softdevices.includes(softdevice) && !softdevices.includes(ANY_SOFTDEVICE))
    throw new HoldfastError('boot.wrong_device', { field: 'sd_req', wanted: softdevice });
  if (minCounter !== undefined && command.firmwareVersion < minCounter)
    throw new HoldfastError('boot.counter_too_low', { counter: command.firmwareVersion, minCounter });
}

/** What a signer is told about a package beside its binary and key. */
export interface Nrf5SignOptions {
  readonly firmwareVersion: number;
  readonly hardwareVersion: number;
  /** Firmware ids of the SoftDevices it runs on; any by default. */
  readonly softdevices?: readonly number[];
  readonly type?: Nrf5FirmwareType;
  /** Bytes of the SoftDevice that open a combined binary; needed for `softdevice_bootloader` alone. */
  readonly softdeviceSize?: number;
  /** Default `crc`. ECDSA is left out: it takes a second signature. */
  readonly bootValidation?: Exclude<Nrf5BootValidationType, 'ecdsa'>;
}

export interface PreparedNrf5Package {
  readonly algorithm: 'ecdsa-p256-sha256';
  /** The bytes of the init command. */
  readonly message: Uint8Array;
  /** @param signature - DER. @throws `boot.signature_encoding` */
  finish(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/** Lays a package of one firmware out and says what has to be signed. @throws `boot.bad_option` */
export function prepareNrf5Package(image: Uint8Array, options: Nrf5SignOptions): PreparedNrf5Package {
  const { type = 'application', firmwareVersion, hardwareVersion, softdevices = [ANY_SOFTDEVICE] } = options;
  const signed = encodeNrf5InitCommand({
    firmwareVersion,
    hardwareVersion,
    softdevices,
    type,
    ...sizesOf(image, type, options.softdeviceSize),
    hash: sha256(image),
    isDebug: false,
    bootValidations: [{ type: options.bootValidation ?? 'crc', bytes: new Uint8Array(0) }],
  });
  return {
    algorithm: 'ecdsa-p256-sha256',
    message: signed,
    finish: (signature) => encodeNrf5Package(type, image, encodeNrf5InitPacket(signed, swapHalves(rawP256(signature)))),
  };
}

function sizesOf(image: Uint8Array, type: Nrf5FirmwareType, softdeviceSize: number | undefined) {
  const { length } = image;
  const none = { softdeviceSize: 0, bootloaderSize: 0, applicationSize: 0 };
  if (length === 0) throw new HoldfastError('boot.bad_option', { option: 'payload', size: 0 });
  if (type !== 'softdevice_bootloader') {
    if (softdeviceSize !== undefined) throw new HoldfastError('boot.bad_option', { option: 'softdevice-size' });
    if (type === 'softdevice') return { ...none, softdeviceSize: length };
    return type === 'bootloader' ? { ...none, bootloaderSize: length } : { ...none, applicationSize: length };
  }
  if (softdeviceSize === undefined || softdeviceSize <= 0 || softdeviceSize >= length)
    throw new HoldfastError('boot.bad_option', { option: 'softdevice-size', limit: length });
  return { ...none, softdeviceSize, bootloaderSize: length - softdeviceSize };
}
