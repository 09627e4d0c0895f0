import { ByteReader, ByteWriter, HoldfastError } from '@holdfast/kernel';

/** Where the parts of a bundle lie; bytes. */
export interface RaucLayout {
  /** File system image, then hash tree: everything before the signature. */
  readonly contentSize: number;
  readonly signatureSize: number;
}

/** The length of the signature ends the file. */
export const RAUC_TAIL = 8;
export const RAUC_BLOCK = 4096;
/** As RAUC bounds it (src/signature.c). */
const MAX_SIGNATURE = 65_536;
export const SQUASHFS_HEAD = 48;
/** "hsqs". */
const SQUASHFS_MAGIC = 0x73717368;

/**
 * Reads the end of a bundle.
 *
 * @param tail - the last {@link RAUC_TAIL} bytes of a file of `size` bytes.
 * @throws `wire.truncated`, `boot.signature_missing` for a length of zero, `wire.too_large`, `boot.bad_header`
 */
export function readRaucLayout(tail: Uint8Array, size: number): RaucLayout {
  const length = new ByteReader(tail).u64be('signature size');
  if (length === 0n) throw new HoldfastError('boot.signature_missing');
  if (length > BigInt(MAX_SIGNATURE))
    throw new HoldfastError('wire.too_large', { field: 'signature size', limit: MAX_SIGNATURE });
  const signatureSize = Number(length);
  const contentSize = size - RAUC_TAIL - signatureSize;
  if (contentSize <= 0) throw new HoldfastError('wire.truncated', { field: 'bundle', size });
  if (contentSize % RAUC_BLOCK !== 0)
    throw new HoldfastError('boot.bad_header', { field: 'content size', size: contentSize });
  return { contentSize, signatureSize };
}

/** The length that ends a bundle. */
export function encodeRaucTail(signatureSize: number): Uint8Array<ArrayBuffer> {
  return new ByteWriter(RAUC_TAIL).u64be(BigInt(signatureSize)).finish();
}

/** Whether the bytes begin like a squashfs image, as every bundle does. */
export function isSquashfs(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new ByteReader(bytes).u32le('magic') === SQUASHFS_MAGIC;
}

/**
 * Bytes a squashfs image takes, filled to a block.
 *
 * @param head - at least its first {@link SQUASHFS_HEAD} bytes.
 * @throws `wire.truncated`, `boot.bad_magic`, `boot.bad_header`
 */
export function readSquashfsSize(head: Uint8Array): number {
  const reader = new ByteReader(head);
  if (reader.u32le('magic') !== SQUASHFS_MAGIC) throw new HoldfastError('boot.bad_magic', { field: 'squashfs' });
  reader.skip(36, 'superblock');
  const used = reader.u64le('bytes used');
  if (used === 0n || used > BigInt(Number.MAX_SAFE_INTEGER - RAUC_BLOCK))
    throw new HoldfastError('boot.bad_header', { field: 'bytes used' });
  return Math.ceil(Number(used) / RAUC_BLOCK) * RAUC_BLOCK;
}
