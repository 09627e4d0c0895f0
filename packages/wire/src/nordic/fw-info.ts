import { ByteReader, HoldfastError } from '@holdfast/kernel';

/** What firmware started by the immutable bootloader (NSIB, "B0") says about itself. */
export interface NsibFirmwareInfo {
  /** Where in the image it stands. */
  readonly offset: number;
  /** 52 for nRF52, 53 for nRF53, 91 for nRF91. */
  readonly hardwareId: number;
  readonly compatibilityId: number;
  /** Bytes of the image, which the validation block follows. */
  readonly size: number;
  /** Only grows; 15 bits where a hardware counter holds it. */
  readonly version: number;
  /** Flash address of the first byte. */
  readonly address: number;
  readonly bootAddress: number;
}

export const NSIB_MAGIC_COMMON = 0x281ee6de;
const FIRMWARE_INFO_MAGIC = 0x8fcebb4c;
export const NSIB_INFO_VERSION = 2;
const VALID = 0x9102ffff;
const HEADER_LENGTH = 60;
/** Where boot code looks (sdk-nrf include/fw_info.h). */
const OFFSETS: readonly number[] = [0, 0x200, 0x400, 0x600, 0x800, 0xe00, 0x1000];

/** Whether the structure stands at one of the places where boot code looks for it. */
export function hasNsibFirmwareInfo(bytes: Uint8Array): boolean {
  return OFFSETS.some((offset) => isInfo(bytes, offset));
}

/**
 * Finds and decodes the firmware information; the first place that holds it counts.
 *
 * @throws `boot.bad_magic` when there is none, `boot.bad_header` for a field outside its rules, `wire.truncated`
 * @see sdk-nrf include/fw_info_bare.h
 */
export function decodeNsibFirmwareInfo(bytes: Uint8Array): NsibFirmwareInfo {
  const offset = OFFSETS.find((candidate) => isInfo(bytes, candidate));
  if (offset === undefined) throw new HoldfastError('boot.bad_magic', { field: 'fw_info' });
  const reader = new ByteReader(bytes, offset + 8);
  const { hardwareId, cryptoId, compatibilityId, version: layout } = readInfoWord(reader.u32le('info'));
  if (layout !== NSIB_INFO_VERSION || cryptoId !== 0) throw bad('info');
  const totalSize = reader.u32le('total_size');
  const size = reader.u32le('size');
  const version = reader.u32le('version');
  const address = reader.u32le('address');
  const bootAddress = reader.u32le('boot_address');
  if (reader.u32le('valid') !== VALID) throw bad('valid');
  reader.skip(16, 'reserved');
  const lists = reader.u32le('ext_api_num') + reader.u32le('ext_api_request_num');
  if (totalSize < HEADER_LENGTH || offset + totalSize > size || (lists === 0 && totalSize !== HEADER_LENGTH))
    throw bad('total_size');
  if (size > bytes.length)
    throw new HoldfastError('wire.truncated', { field: 'image', needed: size, remaining: bytes.length });
  if (bootAddress < address || bootAddress >= address + size) throw bad('boot_address');
  return { offset, hardwareId, compatibilityId, size, version, address, bootAddress };
}

function isInfo(bytes: Uint8Array, offset: number): boolean {
  if (bytes.length < offset + HEADER_LENGTH) return false;
  const reader = new ByteReader(bytes, offset);
  return reader.u32le('magic') === NSIB_MAGIC_COMMON && reader.u32le('magic') === FIRMWARE_INFO_MAGIC;
}

/** The third word of a magic: version | hardware << 8 | crypto << 16 | compatibility << 24. */
export function readInfoWord(word: number) {
  return {
    version: word & 0xff,
    hardwareId: (word >>> 8) & 0xff,
    cryptoId: (word >>> 16) & 0xff,
    compatibilityId: word >>> 24,
  };
}

function bad(field: string): HoldfastError {
  return new HoldfastError('boot.bad_header', { field });
}
