import { ByteReader, concatBytes, HoldfastError } from '@holdfast/kernel';
import {
  encodeNxpCertificateBlock,
  type NxpCertificateBlock,
  type NxpCertificateBlockInput,
  readNxpCertificateBlock,
} from './certificate-block.ts';

/** What the image says about TrustZone: on with the ROM's defaults, on with a preset in the image, or off. */
export const NXP_TRUST_ZONES = ['enabled', 'custom', 'disabled'] as const;
export type NxpTrustZone = (typeof NXP_TRUST_ZONES)[number];

/** A signed image that runs in place. Byte arrays are views. */
export interface NxpImage {
  readonly trustZone: NxpTrustZone;
  readonly loadAddress: number;
  /** The application, its vector table first. */
  readonly application: Uint8Array;
  readonly block: NxpCertificateBlock;
  /** What the signature covers: all but the signature. */
  readonly covered: Uint8Array;
  readonly signature: Uint8Array;
}

const LENGTH_AT = 0x20;
const LOAD_ADDRESS_AT = 0x34;
const VECTORS_END = 0x38;
const SIGNED_XIP = 4;
const TYPE_MASK = 0x3f;
const TRUST_ZONE_SHIFT = 13;
/** Image type, TrustZone and the switch for hardware keys; a key store or a version belong to other chips. */
const KNOWN_FLAGS = 0x703f;
const SIGNATURE_LENGTHS: readonly number[] = [256, 512];

/** Whether the words in the vector table are those of a signed image of this length. */
export function isNxpImage(bytes: Uint8Array): boolean {
  if (bytes.length < VECTORS_END) return false;
  const reader = new ByteReader(bytes, LENGTH_AT);
  return reader.u32le('length') === bytes.length && (reader.u32le('type') & TYPE_MASK) === SIGNED_XIP;
}

/**
 * Decodes a signed image: application, certificate block, TrustZone preset if there is one, signature.
 *
 * @throws `wire.truncated`, `boot.bad_header`, `boot.signature_missing` for a plain or CRC image, `boot.trailing_bytes`, and
 * the errors of the certificate block
 * @see spsdk image/mbi/mbi_mixin.py, Mbi_MixinIvt and Mbi_ExportMixinAppTrustZoneCertBlock
 */
export function decodeNxpImage(bytes: Uint8Array): NxpImage {
  const vectors = new ByteReader(bytes, LENGTH_AT);
  const totalLength = vectors.u32le('total length');
  const flags = vectors.u32le('image type');
  const blockAt = vectors.u32le('certificate block offset');
  vectors.skip(LOAD_ADDRESS_AT - LENGTH_AT - 12, 'vectors');
  const loadAddress = vectors.u32le('load address');
  if ((flags & TYPE_MASK) !== SIGNED_XIP)
    throw new HoldfastError('boot.signature_missing', { type: flags & TYPE_MASK });
  const trustZone = NXP_TRUST_ZONES[(flags >>> TRUST_ZONE_SHIFT) & 3];
  if ((flags & ~KNOWN_FLAGS) !== 0 || trustZone === undefined) throw bad('image type', flags);
  if (totalLength > bytes.length)
    throw new HoldfastError('wire.truncated', { field: 'image', needed: totalLength, remaining: bytes.length });
  if (totalLength < bytes.length) throw new HoldfastError('boot.trailing_bytes', { offset: totalLength });
  if (blockAt < VECTORS_END || blockAt % 4 !== 0 || blockAt > bytes.length)
    throw bad('certificate block offset', blockAt);

  const reader = new ByteReader(bytes, blockAt);
  const block = readNxpCertificateBlock(reader, 4);
  const { signedLength } = block;
  // Less than the whole would leave bytes that nobody signed (CVE-2026-34155 class).
  const isWhole = trustZone === 'custom' ? signedLength > reader.offset : signedLength === reader.offset;
  if (!isWhole || !SIGNATURE_LENGTHS.includes(totalLength - signedLength)) throw bad('signed length', signedLength);
  return {
    trustZone,
    loadAddress,
    application: bytes.subarray(0, blockAt),
    block,
    covered: bytes.subarray(0, signedLength),
    signature: bytes.subarray(signedLength),
  };
}

/** How an image is laid out. */
export interface NxpImageLayout extends NxpCertificateBlockInput {
  readonly trustZone: Exclude<NxpTrustZone, 'custom'>;
  readonly loadAddress: number;
  readonly signatureLength: number;
}

/**
 * The bytes to sign: the application with its vector table filled in, and the certificate block.
 *
 * @throws `boot.header_not_blank` when the words that the ROM reads are in use, `boot.bad_option`
 */
export function layOutNxpImage(application: Uint8Array, layout: NxpImageLayout): Uint8Array<ArrayBuffer> {
  if (application.length < VECTORS_END)
    throw new HoldfastError('boot.bad_option', { option: 'payload', size: application.length });
  const words = [...application.subarray(LENGTH_AT, 0x2c), ...application.subarray(LOAD_ADDRESS_AT, VECTORS_END)];
  if (words.some((byte) => byte !== 0)) throw new HoldfastError('boot.header_not_blank', { offset: LENGTH_AT });
  const blockAt = (application.length + 3) & ~3;
  const signedLength = blockAt + encodeNxpCertificateBlock(layout, 0).length;
  const image = concatBytes(
    application,
    new Uint8Array(blockAt - application.length),
    encodeNxpCertificateBlock(layout, signedLength),
  );
  const view = new DataView(image.buffer);
  view.setUint32(LENGTH_AT, signedLength + layout.signatureLength, true);
  view.setUint32(0x24, SIGNED_XIP | (NXP_TRUST_ZONES.indexOf(layout.trustZone) << TRUST_ZONE_SHIFT), true);
  view.setUint32(0x28, blockAt, true);
  view.setUint32(LOAD_ADDRESS_AT, layout.loadAddress, true);
  return image;
}

function bad(field: string, value: number): HoldfastError {
  return new HoldfastError('boot.bad_header', { field, value });
}
