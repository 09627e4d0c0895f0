import { ByteReader, ByteWriter, concatBytes, HoldfastError } from '@holdfast/kernel';
import { crc32 } from './crc32.ts';

/** Bytes of the sector an image is padded to, and of the one that holds its signature blocks. */
export const SECTOR_LENGTH = 4096;
export const BLOCK_LENGTH = 1216;
export const MAX_BLOCKS = 3;

const MAGIC = 0xe7;
const CRC_OFFSET = 1196;
const FILLING = 0xff;

/** How a scheme lays out its block; lengths in bytes, numbers little endian. */
interface BlockLayout {
  readonly version: 0x02 | 0x03;
  /** 0 for SHA-256, 1 for SHA-384. */
  readonly hashId: 0 | 1;
  readonly digestLength: 32 | 48;
  /** First byte of the key part for ECDSA. */
  readonly curveId?: 1 | 2 | 3;
  readonly keyLength: number;
  readonly signatureLength: number;
}

export type EspScheme = 'rsa-3072' | 'ecdsa-p192' | 'ecdsa-p256' | 'ecdsa-p384';

/** @see ESP-IDF docs/en/security/secure-boot-v2.rst, signature block format */
export const ESP_SCHEMES: Readonly<Record<EspScheme, BlockLayout>> = {
  'rsa-3072': { version: 0x02, hashId: 0, digestLength: 32, keyLength: 776, signatureLength: 384 },
  'ecdsa-p192': { version: 0x03, hashId: 0, digestLength: 32, curveId: 1, keyLength: 65, signatureLength: 64 },
  'ecdsa-p256': { version: 0x03, hashId: 0, digestLength: 32, curveId: 2, keyLength: 65, signatureLength: 64 },
  'ecdsa-p384': { version: 0x03, hashId: 1, digestLength: 48, curveId: 3, keyLength: 97, signatureLength: 96 },
};

/** One signature block. */
export interface EspSignatureBlock {
  readonly scheme: EspScheme;
  readonly imageDigest: Uint8Array;
  /** n, e, R and M' for RSA; curve id and coordinates for ECDSA. Its SHA-256 is what an eFuse holds. */
  readonly key: Uint8Array;
  /** Little-endian number for RSA; r and s, little endian each, for ECDSA. */
  readonly signature: Uint8Array;
}

/**
 * Decodes one block of 1,216 bytes.
 *
 * @throws `wire.truncated`, `boot.bad_magic`, `boot.bad_header` for an unknown version, hash or curve,
 * `boot.checksum_mismatch`, `boot.signature_encoding` when bytes outside the fields are not zero.
 */
export function decodeSignatureBlock(bytes: Uint8Array): EspSignatureBlock {
  const reader = new ByteReader(new ByteReader(bytes).take(BLOCK_LENGTH, 'signature block'));
  if (reader.u8('magic') !== MAGIC) throw new HoldfastError('boot.bad_magic', { field: 'signature block' });
  const version = reader.u8('version');
  const hashId = reader.u8('hash id');
  const spare = reader.u8('reserved');
  const block = reader.bytes;
  const scheme = schemeOf(version, hashId, block);
  if (spare !== 0) throw new HoldfastError('boot.bad_header', { field: 'reserved' });
  if (new ByteReader(block, CRC_OFFSET).u32le('crc') !== crc32(block.subarray(0, CRC_OFFSET))) {
    throw new HoldfastError('boot.checksum_mismatch', { field: 'signature block' });
  }
  const { digestLength, keyLength, signatureLength } = ESP_SCHEMES[scheme];
  const decoded = {
    scheme,
    imageDigest: reader.take(digestLength, 'digest'),
    key: reader.take(keyLength, 'key'),
    signature: reader.take(signatureLength, 'signature'),
  };
  const unused = concatBytes(block.subarray(reader.offset, CRC_OFFSET), block.subarray(CRC_OFFSET + 4));
  if (unused.some((byte) => byte !== 0)) throw new HoldfastError('boot.signature_encoding', { field: 'unused bytes' });
  return decoded;
}

/** @throws `boot.bad_option` when a part has not the length of its scheme. */
export function encodeSignatureBlock({
  scheme,
  imageDigest,
  key,
  signature,
}: EspSignatureBlock): Uint8Array<ArrayBuffer> {
  const { version, hashId, digestLength, keyLength, signatureLength } = ESP_SCHEMES[scheme];
  const fits = imageDigest.length === digestLength && key.length === keyLength && signature.length === signatureLength;
  if (!fits) throw new HoldfastError('boot.bad_option', { option: 'signature block' });
  const writer = new ByteWriter(BLOCK_LENGTH).u8(MAGIC).u8(version).u8(hashId).u8(0);
  writer.bytes(imageDigest).bytes(key).bytes(signature);
  writer.fill(0, CRC_OFFSET - writer.length);
  return writer.u32le(crc32(writer.finish())).fill(0, 16).finish();
}

/** An image and the signature blocks that follow it. */
export interface EspSignedImage {
  /** The image and its padding to a sector: what the digest covers. */
  readonly covered: Uint8Array;
  readonly blocks: readonly EspSignatureBlock[];
}

/**
 * Splits a signed file: the image, padded to 4,096 bytes, and one sector with up to three blocks.
 *
 * @throws `wire.truncated` for a file that is no whole number of sectors or has no room for an image.
 * @throws `boot.signature_missing`, `boot.trailing_bytes` when bytes after the blocks are not erased, and as
 * {@link decodeSignatureBlock}
 */
export function decodeSignedImage(bytes: Uint8Array): EspSignedImage {
  const { length } = bytes;
  if (length % SECTOR_LENGTH !== 0 || length < 2 * SECTOR_LENGTH) {
    throw new HoldfastError('wire.truncated', { field: 'sector', size: length });
  }
  const covered = bytes.subarray(0, length - SECTOR_LENGTH);
  const sector = bytes.subarray(length - SECTOR_LENGTH);
  const blocks: EspSignatureBlock[] = [];
  let at = 0;
  while (blocks.length < MAX_BLOCKS && sector[at] === MAGIC) {
    blocks.push(decodeSignatureBlock(sector.subarray(at)));
    at += BLOCK_LENGTH;
  }
  if (blocks.length === 0) throw new HoldfastError('boot.signature_missing');
  if (sector.subarray(at).some((byte) => byte !== FILLING)) {
    throw new HoldfastError('boot.trailing_bytes', { offset: covered.length + at });
  }
  return { covered, blocks };
}

/** @throws `boot.bad_option` for no block or more than three. */
export function encodeSignedImage(covered: Uint8Array, blocks: readonly EspSignatureBlock[]): Uint8Array<ArrayBuffer> {
  if (blocks.length === 0 || blocks.length > MAX_BLOCKS)
    throw new HoldfastError('boot.bad_option', { option: 'blocks', count: blocks.length });
  const sector = new Uint8Array(SECTOR_LENGTH).fill(FILLING);
  for (const [index, block] of blocks.entries()) sector.set(encodeSignatureBlock(block), index * BLOCK_LENGTH);
  return concatBytes(covered, sector);
}

/** The image filled with erased bytes to a whole number of sectors. */
export function padToSector(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(Math.ceil(image.length / SECTOR_LENGTH) * SECTOR_LENGTH).fill(FILLING);
  padded.set(image);
  return padded;
}

function schemeOf(version: number, hashId: number, block: Uint8Array): EspScheme {
  const found = (Object.keys(ESP_SCHEMES) as EspScheme[]).find((name) => {
    const { version: v, hashId: h, curveId, digestLength } = ESP_SCHEMES[name];
    return v === version && h === hashId && (curveId === undefined || block[4 + digestLength] === curveId);
  });
  if (found === undefined) throw new HoldfastError('boot.bad_header', { field: 'signature block', version, hashId });
  return found;
}
