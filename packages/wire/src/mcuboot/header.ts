import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { MCUBOOT_FLAG, MCUBOOT_HEADER_LENGTH, MCUBOOT_MAGIC } from './constants.ts';
import { type McubootVersion, readVersion, writeVersion } from './version.ts';

/** The header that opens an image; sizes in bytes. */
export interface McubootHeader {
  readonly loadAddress: number;
  readonly headerSize: number;
  /** Whole protected area with its info header; 0 when there is none. */
  readonly protectedSize: number;
  /** Payload alone. */
  readonly imageSize: number;
  readonly flags: number;
  readonly version: McubootVersion;
}

const KNOWN_FLAGS = Object.values(MCUBOOT_FLAG).reduce((all, flag) => all | flag, 0);
const FILLED = 0xffffffff;
const MAGIC_BIG_ENDIAN = 0x3db8f396;

/**
 * Decodes the header of an MCUboot image.
 *
 * @param bytes - 32 bytes or more; only the first 32 are read, little endian.
 * @param filled - accept ones in the last word beside zeros.
 * @throws `wire.truncated` when fewer than 32 bytes are given.
 * @throws `wire.unsupported` for a big-endian image.
 * @throws `boot.bad_magic` when the first word is not 0x96f3b83d.
 * @throws `boot.unsupported_flag` for an unknown flag, PIC, both AES sizes, or both RAM load and fixed address.
 * @throws `boot.bad_header` when a field breaks its rule.
 * @see MCUboot boot/bootutil/include/bootutil/image.h, struct image_header
 */
export function decodeMcubootHeader(bytes: Uint8Array, filled = false): McubootHeader {
  const reader = new ByteReader(bytes);
  const magic = reader.u32le('ih_magic');
  if (magic === MAGIC_BIG_ENDIAN)
    throw new HoldfastError('wire.unsupported', { field: 'ih_magic', reason: 'big endian' });
  if (magic !== MCUBOOT_MAGIC) throw new HoldfastError('boot.bad_magic', { field: 'ih_magic', offset: 0 });
  const header = {
    loadAddress: reader.u32le('ih_load_addr'),
    headerSize: reader.u16le('ih_hdr_size'),
    protectedSize: reader.u16le('ih_protect_tlv_size'),
    imageSize: reader.u32le('ih_img_size'),
    flags: reader.u32le('ih_flags'),
    version: readVersion(reader, 'ih_ver'),
  };
  const pad = reader.u32le('_pad1');
  if (pad !== 0 && !(filled && pad === FILLED))
    throw new HoldfastError('boot.bad_header', { field: '_pad1', offset: 28 });
  checkFlags(header.flags);
  checkFields(header);
  return header;
}

/**
 * @throws `boot.bad_version` when the version does not fit.
 * @see {@link decodeMcubootHeader} for the layout
 */
export function encodeMcubootHeader(header: McubootHeader, pad = 0): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(MCUBOOT_HEADER_LENGTH);
  writer.u32le(MCUBOOT_MAGIC).u32le(header.loadAddress).u16le(header.headerSize).u16le(header.protectedSize);
  writer.u32le(header.imageSize).u32le(header.flags);
  writeVersion(writer, header.version);
  return writer.u32le(pad).finish();
}

export function hasFlag(header: McubootHeader, flag: number): boolean {
  return (header.flags & flag) !== 0;
}

function checkFlags(flags: number): void {
  const both = (one: number, other: number): boolean => (flags & one) !== 0 && (flags & other) !== 0;
  const refused =
    (flags & ~KNOWN_FLAGS) !== 0 ||
    (flags & MCUBOOT_FLAG.pic) !== 0 ||
    both(MCUBOOT_FLAG.aes128, MCUBOOT_FLAG.aes256) ||
    both(MCUBOOT_FLAG.ramLoad, MCUBOOT_FLAG.romFixed);
  if (refused) throw new HoldfastError('boot.unsupported_flag', { field: 'ih_flags', offset: 16, flags });
}

function checkFields(header: McubootHeader): void {
  // A gap that is no multiple of the header's own size leaves no vector table aligned.
  if (header.headerSize < MCUBOOT_HEADER_LENGTH || header.headerSize % MCUBOOT_HEADER_LENGTH !== 0) {
    throw new HoldfastError('boot.bad_header', { field: 'ih_hdr_size', offset: 8, value: header.headerSize });
  }
  if (header.imageSize === 0)
    throw new HoldfastError('boot.bad_header', { field: 'ih_img_size', offset: 12, value: 0 });
  const addressed = hasFlag(header, MCUBOOT_FLAG.ramLoad | MCUBOOT_FLAG.romFixed);
  if (header.loadAddress !== 0 && !addressed) {
    throw new HoldfastError('boot.bad_header', { field: 'ih_load_addr', offset: 4, value: header.loadAddress });
  }
}
