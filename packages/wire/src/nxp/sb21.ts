import { ByteReader, HoldfastError } from '@holdfast/kernel';
import { type NxpCertificateBlock, readNxpCertificateBlock } from './certificate-block.ts';

/** A secure binary of version 2.1: an update in encrypted sections. Byte arrays are views. */
export interface NxpSecureBinary {
  readonly buildNumber: number;
  readonly productVersion: string;
  readonly componentVersion: string;
  /** Microseconds since 2000-01-01. */
  readonly timestamp: bigint;
  readonly firstSectionId: number;
  readonly sectionMacs: number;
  readonly block: NxpCertificateBlock;
  /** SHA-256 of the sections, under the signature; undefined when the file leaves it out. */
  readonly sectionsDigest: Uint8Array | undefined;
  readonly sections: Uint8Array;
  /** What the signature covers. */
  readonly covered: Uint8Array;
  readonly signature: Uint8Array;
}

const HEADER_LENGTH = 96;
const BLOCK = 16;
/** Header, its HMAC and the wrapped keys: where the certificates begin. */
const CERTIFICATES_AT = 208;
/** "STMP" and "sgtl". */
const MAGICS = [0x504d5453, 0x6c746773] as const;
const FLAG_SIGNED = 0x8;
const FLAG_DIGEST = 0x8000;
const KEY_BLOB = { block: 8, blocks: 5 } as const;

/** Whether the bytes begin like a secure binary. */
export function isNxpSecureBinary(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_LENGTH && new ByteReader(bytes, 20).u32le('magic') === MAGICS[0];
}

/**
 * Decodes a secure binary with every block number held against the file: the ROM of some LPC55 parts followed them
 * before it checked the signature (CVE-2022-22819).
 *
 * @param signatureLength - of the signer's key, from its certificate.
 * @throws `wire.truncated`, `boot.bad_magic`, `boot.bad_header`, and the errors of the certificate block
 * @see spsdk sbfile/sb2/headers.py, images.py
 */
export function decodeNxpSecureBinary(
  bytes: Uint8Array,
  signatureLength: (block: NxpCertificateBlock) => number,
): NxpSecureBinary {
  const header = readHeader(bytes);
  const { flags, imageBlocks, firstTagBlock, sectionMacs } = header;
  const reader = new ByteReader(bytes, CERTIFICATES_AT);
  const block = readNxpCertificateBlock(reader, 16);
  if (block.signedLength !== reader.offset) throw bad('signed length');
  if (block.buildNumber !== header.buildNumber) throw bad('build number');
  const hasDigest = (flags & FLAG_DIGEST) !== 0;
  const sectionsDigest = hasDigest ? reader.take(32, 'sections digest') : undefined;
  const covered = bytes.subarray(0, reader.offset);
  const signature = reader.take(signatureLength(block), 'signature');
  const sections = bytes.subarray(reader.offset);
  // The numbers in the header do not count the digest.
  const counted = bytes.length - (hasDigest ? 32 : 0);
  const tagAt = reader.offset - (hasDigest ? 32 : 0);
  if (imageBlocks * BLOCK !== counted) throw bad('image blocks');
  if (firstTagBlock * BLOCK !== tagAt) throw bad('first boot tag block');
  // A section opens with its tag and one HMAC for each group of blocks, 16 and 32 bytes each.
  if (sections.length < BLOCK || sectionMacs < 1 || sectionMacs * 32 > sections.length) throw bad('section HMACs');
  return { ...header, block, sectionsDigest, sections, covered, signature };
}

function readHeader(bytes: Uint8Array) {
  const reader = new ByteReader(new ByteReader(bytes).take(HEADER_LENGTH, 'header'));
  reader.skip(20, 'nonce');
  if (reader.u32le('magic') !== MAGICS[0]) throw new HoldfastError('boot.bad_magic', { field: 'header' });
  if (reader.u8('major') !== 2 || reader.u8('minor') !== 1) throw bad('version');
  const flags = reader.u16le('flags');
  const imageBlocks = reader.u32le('image blocks');
  const firstTagBlock = reader.u32le('first boot tag block');
  const firstSectionId = reader.u32le('first boot section');
  const certificatesAt = reader.u32le('certificate block offset');
  const headerBlocks = reader.u16le('header blocks');
  const keyBlob = [reader.u16le('key blob block'), reader.u16le('key blob blocks')];
  const sectionMacs = reader.u16le('section HMACs');
  if (reader.u32le('magic') !== MAGICS[1]) throw new HoldfastError('boot.bad_magic', { field: 'second magic' });
  if (flags !== FLAG_SIGNED && flags !== (FLAG_SIGNED | FLAG_DIGEST)) throw bad('flags');
  if (certificatesAt !== CERTIFICATES_AT || headerBlocks * BLOCK !== HEADER_LENGTH) throw bad('header blocks');
  if (keyBlob[0] !== KEY_BLOB.block || keyBlob[1] !== KEY_BLOB.blocks) throw bad('key blob');
  const timestamp = reader.u64le('timestamp');
  const productVersion = readVersion(reader);
  const componentVersion = readVersion(reader);
  const buildNumber = reader.u32le('build number');
  return {
    flags,
    imageBlocks,
    firstTagBlock,
    firstSectionId,
    sectionMacs,
    timestamp,
    productVersion,
    componentVersion,
    buildNumber,
  };
}

/** Three numbers in binary-coded decimal, big endian, each filled to four bytes. */
function readVersion(reader: ByteReader): string {
  const parts = Array.from({ length: 3 }, () => {
    const number = reader.u16be('version');
    if (reader.u16le('version filling') !== 0) throw bad('version');
    const digits = number.toString(16);
    if (!/^[0-9]+$/.test(digits)) throw bad('version');
    return digits;
  });
  return parts.join('.');
}

function bad(field: string): HoldfastError {
  return new HoldfastError('boot.bad_header', { field });
}
