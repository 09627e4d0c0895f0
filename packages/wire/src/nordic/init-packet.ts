import { HoldfastError } from '@holdfast/kernel';
import { type ProtoField, ProtoWriter, readPacked, readProtoMessage } from './proto-message.ts';

/** What a package replaces, by the number the init packet gives it. */
export const NRF5_FIRMWARE_TYPES = [
  'application',
  'softdevice',
  'bootloader',
  'softdevice_bootloader',
  'external_application',
] as const;
export type Nrf5FirmwareType = (typeof NRF5_FIRMWARE_TYPES)[number];

/** What the bootloader checks at every start, by its number. */
export const NRF5_BOOT_VALIDATIONS = ['none', 'crc', 'sha256', 'ecdsa'] as const;
export type Nrf5BootValidationType = (typeof NRF5_BOOT_VALIDATIONS)[number];

export interface Nrf5BootValidation {
  readonly type: Nrf5BootValidationType;
  readonly bytes: Uint8Array;
}

/** The signed part of an init packet. Sizes in bytes. */
export interface Nrf5InitCommand {
  readonly firmwareVersion: number;
  readonly hardwareVersion: number;
  /** Firmware ids of the SoftDevices it runs on; 0xFFFE stands for any. */
  readonly softdevices: readonly number[];
  readonly type: Nrf5FirmwareType;
  readonly softdeviceSize: number;
  readonly bootloaderSize: number;
  readonly applicationSize: number;
  /** SHA-256 of the firmware, as computed; the wire holds it reversed. */
  readonly hash: Uint8Array;
  /** Switches the checks of versions off in a bootloader built for it. */
  readonly isDebug: boolean;
  readonly bootValidations: readonly Nrf5BootValidation[];
}

export interface Nrf5InitPacket {
  readonly command: Nrf5InitCommand;
  /** The bytes of the command alone, as received: what the signature covers. */
  readonly signed: Uint8Array;
  /** r and s, 32 bytes each, little endian; undefined for an unsigned packet. */
  readonly signature: Uint8Array | undefined;
}

const varint = (number: number): ProtoField & { type: 'varint' } => ({ number, type: 'varint' });
const bytesField = (number: number, atMost = 1): ProtoField & { type: 'bytes' } => ({ number, type: 'bytes', atMost });

/** @see pc-nrfutil nordicsemi/dfu/dfu-cc.proto */
const PACKET = { command: bytesField(1), signedCommand: bytesField(2) };
const SIGNED_COMMAND = { command: bytesField(1), signatureType: varint(2), signature: bytesField(3) };
const COMMAND = { opCode: varint(1), init: bytesField(2) };
const INIT = {
  firmwareVersion: varint(1),
  hardwareVersion: varint(2),
  softdevices: bytesField(3),
  type: varint(4),
  softdeviceSize: varint(5),
  bootloaderSize: varint(6),
  applicationSize: varint(7),
  hash: bytesField(8),
  isDebug: varint(9),
  bootValidations: bytesField(10, 2),
};
const HASH = { type: varint(1), value: bytesField(2) };
const BOOT_VALIDATION = { type: varint(1), value: bytesField(2) };

const OP_INIT = 1;
const SIGNATURE_ECDSA_P256 = 0;
const HASH_SHA256 = 3;
const MAX_SOFTDEVICES = 16;

/**
 * Decodes the `.dat` file of a Secure DFU package.
 *
 * @throws `wire.truncated`, `wire.malformed`, `wire.duplicate`, `wire.too_large`, `wire.unsupported` for a field, a hash
 * or a signature type that no bootloader of this kind reads.
 */
export function decodeNrf5InitPacket(bytes: Uint8Array): Nrf5InitPacket {
  const packet = readProtoMessage(bytes, PACKET);
  const [unsigned] = packet.command;
  const [whole] = packet.signedCommand;
  if ((unsigned === undefined) === (whole === undefined)) throw bad('packet');
  if (unsigned !== undefined) return { ...readCommand(unsigned), signature: undefined };
  const { command, signatureType, signature } = readProtoMessage(whole ?? bytes, SIGNED_COMMAND);
  if (only(signatureType, 'signature type') !== SIGNATURE_ECDSA_P256)
    throw new HoldfastError('wire.unsupported', { field: 'signature type', type: signatureType[0] });
  return { ...readCommand(only(command, 'command')), signature: only(signature, 'signature') };
}

function readCommand(bytes: Uint8Array): { command: Nrf5InitCommand; signed: Uint8Array } {
  const { opCode, init } = readProtoMessage(bytes, COMMAND);
  if (only(opCode, 'op code') !== OP_INIT) throw bad('op code');
  const signed = only(init, 'init');
  return { command: readInit(signed), signed };
}

function readInit(bytes: Uint8Array): Nrf5InitCommand {
  const fields = readProtoMessage(bytes, INIT);
  const hash = readProtoMessage(only(fields.hash, 'hash'), HASH);
  if (only(hash.type, 'hash type') !== HASH_SHA256)
    throw new HoldfastError('wire.unsupported', { field: 'hash type', type: hash.type[0] });
  const digest = only(hash.value, 'hash');
  if (digest.length !== 32) throw bad('hash');
  const isDebug = fields.isDebug[0] ?? 0;
  if (isDebug > 1) throw bad('is debug');
  const softdevices = readPacked(only(fields.softdevices, 'sd_req'), 'sd_req', MAX_SOFTDEVICES);
  if (softdevices.length === 0 || softdevices.some((id) => id > 0xffff)) throw bad('sd_req');
  return {
    firmwareVersion: only(fields.firmwareVersion, 'fw_version'),
    hardwareVersion: only(fields.hardwareVersion, 'hw_version'),
    softdevices,
    type: named(NRF5_FIRMWARE_TYPES, only(fields.type, 'type'), 'type'),
    softdeviceSize: fields.softdeviceSize[0] ?? 0,
    bootloaderSize: fields.bootloaderSize[0] ?? 0,
    applicationSize: fields.applicationSize[0] ?? 0,
    hash: digest.toReversed(),
    isDebug: isDebug === 1,
    bootValidations: fields.bootValidations.map(readBootValidation),
  };
}

function readBootValidation(bytes: Uint8Array): Nrf5BootValidation {
  const { type, value } = readProtoMessage(bytes, BOOT_VALIDATION);
  return {
    type: named(NRF5_BOOT_VALIDATIONS, only(type, 'boot validation'), 'boot validation'),
    bytes: only(value, 'boot validation'),
  };
}

/** The bytes of a command: what is signed. Zero sizes are written, as nrfutil does. @throws `boot.bad_option` */
export function encodeNrf5InitCommand(command: Nrf5InitCommand): Uint8Array<ArrayBuffer> {
  const { softdevices, type, bootValidations } = command;
  const { firmwareVersion, hardwareVersion, softdeviceSize, bootloaderSize, applicationSize } = command;
  for (const value of [firmwareVersion, hardwareVersion, softdeviceSize, bootloaderSize, applicationSize])
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw badOption('32-bit number');
  const areIds = softdevices.every((id) => Number.isInteger(id) && id >= 0 && id <= 0xffff);
  if (!areIds || softdevices.length === 0 || softdevices.length > MAX_SOFTDEVICES) throw badOption('sd-req');
  const writer = new ProtoWriter().varint(1, firmwareVersion).varint(2, hardwareVersion).packed(3, softdevices);
  writer.varint(4, NRF5_FIRMWARE_TYPES.indexOf(type));
  writer.varint(5, softdeviceSize).varint(6, bootloaderSize).varint(7, applicationSize);
  writer.bytes(8, new ProtoWriter().varint(1, HASH_SHA256).bytes(2, command.hash.toReversed()).finish());
  writer.varint(9, command.isDebug ? 1 : 0);
  for (const { type: kind, bytes } of bootValidations)
    writer.bytes(10, new ProtoWriter().varint(1, NRF5_BOOT_VALIDATIONS.indexOf(kind)).bytes(2, bytes).finish());
  return writer.finish();
}

/** The `.dat` file around the bytes of a command and their signature. */
export function encodeNrf5InitPacket(signed: Uint8Array, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const command = new ProtoWriter().varint(1, OP_INIT).bytes(2, signed).finish();
  const whole = new ProtoWriter().bytes(1, command).varint(2, SIGNATURE_ECDSA_P256).bytes(3, signature).finish();
  return new ProtoWriter().bytes(2, whole).finish();
}

function only<T>(values: readonly T[], field: string): T {
  const [value] = values;
  if (value === undefined) throw bad(field);
  return value;
}

function named<T>(names: readonly T[], number: number, field: string): T {
  const name = names[number];
  if (name === undefined) throw new HoldfastError('wire.unsupported', { field, number });
  return name;
}

function bad(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field, reason: 'init packet' });
}

function badOption(option: string): HoldfastError {
  return new HoldfastError('boot.bad_option', { option });
}
