import { ByteReader, ByteWriter, concatBytes, HoldfastError } from '@holdfast/kernel';
import {
  decodeNsibFirmwareInfo,
  NSIB_INFO_VERSION,
  NSIB_MAGIC_COMMON,
  type NsibFirmwareInfo,
  readInfoWord,
} from './fw-info.ts';

/** What follows a signed image and lets the immutable bootloader start it. Numbers of the curve are big endian. */
export interface NsibValidation {
  readonly address: number;
  readonly digest: Uint8Array;
  /** X and Y, 32 bytes each. */
  readonly publicKey: Uint8Array;
  /** r and s, 32 bytes each. */
  readonly signature: Uint8Array;
}

export interface NsibImage {
  readonly info: NsibFirmwareInfo;
  /** What the digest covers. */
  readonly firmware: Uint8Array;
  readonly validation: NsibValidation;
}

const VALIDATION_MAGIC = 0x86518483;
const CRYPTO_ECDSA_P256 = 1;
export const NSIB_BLOCK_LENGTH = 176;
const FILLING = 0xff;

/**
 * Splits an image from its validation block, which begins at the next multiple of four and ends the file.
 *
 * @throws `boot.signature_missing`, `boot.trailing_bytes`, `boot.bad_header` when the block is for another chip or address,
 * and as {@link decodeNsibFirmwareInfo}
 * @see sdk-nrf scripts/bootloader/validation_data.py, subsys/bootloader/bl_validation/bl_validation.c
 */
export function decodeNsibImage(bytes: Uint8Array): NsibImage {
  const info = decodeNsibFirmwareInfo(bytes);
  const firmware = bytes.subarray(0, info.size);
  const reader = new ByteReader(bytes, info.size);
  if (reader.remaining === 0) throw new HoldfastError('boot.signature_missing');
  const gap = reader.take(-info.size & 3, 'padding');
  // Bytes between image and block are in no digest.
  if (gap.some((byte) => byte !== FILLING)) throw new HoldfastError('boot.trailing_bytes', { offset: info.size });
  const validation = readBlock(reader, info);
  if (reader.remaining > 0) throw new HoldfastError('boot.trailing_bytes', { offset: reader.offset });
  return { info, firmware, validation };
}

function readBlock(reader: ByteReader, info: NsibFirmwareInfo): NsibValidation {
  const isMagic = reader.u32le('magic') === NSIB_MAGIC_COMMON && reader.u32le('magic') === VALIDATION_MAGIC;
  if (!isMagic) throw new HoldfastError('boot.signature_missing', { offset: reader.offset });
  const { version, cryptoId, hardwareId, compatibilityId } = readInfoWord(reader.u32le('magic'));
  if (version !== NSIB_INFO_VERSION) throw bad('validation version');
  if (cryptoId !== CRYPTO_ECDSA_P256) throw new HoldfastError('boot.unsupported_key', { cryptoId });
  if (hardwareId !== info.hardwareId || compatibilityId !== info.compatibilityId) throw bad('hardware id');
  const address = reader.u32le('address');
  if (address !== info.address) throw bad('address');
  return {
    address,
    digest: reader.take(32, 'digest'),
    publicKey: reader.take(64, 'public key'),
    signature: reader.take(64, 'signature'),
  };
}

/** The image and its block. @throws `boot.bad_header` when the image is not as long as it says; as the decoder */
export function encodeNsibImage(
  firmware: Uint8Array,
  { digest, publicKey, signature }: Omit<NsibValidation, 'address'>,
): Uint8Array<ArrayBuffer> {
  const { size, hardwareId, compatibilityId, address } = decodeNsibFirmwareInfo(firmware);
  if (size !== firmware.length) throw bad('size');
  const word = (compatibilityId << 24) | (CRYPTO_ECDSA_P256 << 16) | (hardwareId << 8) | NSIB_INFO_VERSION;
  const writer = new ByteWriter(NSIB_BLOCK_LENGTH + 4).fill(FILLING, -size & 3);
  writer
    .u32le(NSIB_MAGIC_COMMON)
    .u32le(VALIDATION_MAGIC)
    .u32le(word >>> 0)
    .u32le(address);
  return concatBytes(firmware, writer.bytes(digest).bytes(publicKey).bytes(signature).finish());
}

function bad(field: string): HoldfastError {
  return new HoldfastError('boot.bad_header', { field });
}
