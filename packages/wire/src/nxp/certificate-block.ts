import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';
import { DerReader, TAG } from '../asn1/index.ts';
import { type Certificate, decodeCertificate } from '../x509/index.ts';

/** Certificates and root key hashes that an LPC55 ROM trusts a signature by. */
export interface NxpCertificateBlock {
  readonly buildNumber: number;
  /** Bytes that the signature covers, from the start of the file. */
  readonly signedLength: number;
  /** The root first, the signer last. */
  readonly certificates: readonly Certificate[];
  /** Four hashes of 32 bytes; zeros for a slot without a key. */
  readonly rootKeyHashes: readonly Uint8Array[];
}

/** "cert". */
const MAGIC = 0x74726563;
const HEADER_LENGTH = 32;
const HASH_LENGTH = 32;
export const NXP_ROOT_KEYS = 4;
const MAX_CERTIFICATES = 4;
const MAX_TABLE = 16_384;

/**
 * Decodes a certificate block of version 1.0.
 *
 * @param reader - stands at the block and is left behind it, filling included.
 * @param alignment - 4 in an image, 16 in an SB2 file.
 * @throws `wire.truncated`, `boot.bad_magic`, `boot.bad_header`, `wire.malformed`, and the errors of the certificates
 * @see spsdk image/cert_block/cert_block_v1.py
 */
export function readNxpCertificateBlock(reader: ByteReader, alignment: 4 | 16): NxpCertificateBlock {
  const start = reader.offset;
  if (reader.u32le('magic') !== MAGIC) throw new HoldfastError('boot.bad_magic', { field: 'certificate block' });
  const version = [reader.u16le('major'), reader.u16le('minor')];
  const headerLength = reader.u32le('header length');
  const flags = reader.u32le('flags');
  const buildNumber = reader.u32le('build number');
  const signedLength = reader.u32le('image length');
  const count = reader.u32le('certificate count');
  const tableLength = reader.u32le('certificate table length');
  if (version[0] !== 1 || version[1] !== 0 || headerLength !== HEADER_LENGTH || flags !== 0)
    throw bad('certificate block header');
  if (count < 1 || count > MAX_CERTIFICATES || tableLength > MAX_TABLE) throw bad('certificate count');
  const table = new ByteReader(reader.take(tableLength, 'certificates'));
  const certificates = Array.from({ length: count }, () => readCertificate(table));
  table.end('certificates');
  const rootKeyHashes = Array.from({ length: NXP_ROOT_KEYS }, () => reader.take(HASH_LENGTH, 'root key hash'));
  const filling = reader.take(-(reader.offset - start) & (alignment - 1), 'filling');
  if (filling.some((byte) => byte !== 0)) throw bad('filling');
  return { buildNumber, signedLength, certificates, rootKeyHashes };
}

/** Each is filled with zeros to a multiple of four, and its size counts them. */
function readCertificate(table: ByteReader): Certificate {
  const size = table.u32le('certificate size');
  const field = table.take(size, 'certificate');
  const { raw } = new DerReader(field).expect(TAG.sequence, 'certificate');
  const filling = field.subarray(raw.length);
  if (size % 4 !== 0 || filling.length > 3 || filling.some((byte) => byte !== 0)) throw bad('certificate filling');
  return decodeCertificate(raw);
}

/** What goes into a block; certificates as DER. */
export interface NxpCertificateBlockInput {
  readonly buildNumber: number;
  readonly certificates: readonly Uint8Array[];
  readonly rootKeyHashes: readonly Uint8Array[];
}

/** @returns the bytes of the block that says the signature covers `signedLength` bytes, filled to four. @throws `boot.bad_option` */
export function encodeNxpCertificateBlock(
  { buildNumber, certificates, rootKeyHashes }: NxpCertificateBlockInput,
  signedLength: number,
): Uint8Array<ArrayBuffer> {
  const hashesFit =
    rootKeyHashes.length <= NXP_ROOT_KEYS && rootKeyHashes.every(({ length }) => length === HASH_LENGTH);
  if (!hashesFit) throw new HoldfastError('boot.bad_option', { option: 'root-key' });
  if (certificates.length < 1 || certificates.length > MAX_CERTIFICATES)
    throw new HoldfastError('boot.bad_option', { option: 'certificate' });
  const table = new ByteWriter(4096);
  for (const certificate of certificates) {
    const filling = -certificate.length & 3;
    table
      .u32le(certificate.length + filling)
      .bytes(certificate)
      .fill(0, filling);
  }
  const writer = new ByteWriter(4096).u32le(MAGIC).u16le(1).u16le(0).u32le(HEADER_LENGTH).u32le(0);
  writer.u32le(buildNumber).u32le(signedLength).u32le(certificates.length).u32le(table.length).bytes(table.finish());
  for (const hash of rootKeyHashes) writer.bytes(hash);
  return writer.fill(0, HASH_LENGTH * (NXP_ROOT_KEYS - rootKeyHashes.length)).finish();
}

function bad(field: string): HoldfastError {
  return new HoldfastError('boot.bad_header', { field });
}
