import { openAesGcm, sealAesGcm } from '@holdfast/crypto';
import { ByteReader, ByteWriter, concatBytes, encodeUtf8, type EpochMs } from '@holdfast/kernel';

/** What opens and seals the blocks of a segment. */
export interface SegmentKey {
  readonly epoch: number;
  /** 32 octets, of this life of the process alone. */
  readonly key: Uint8Array;
}

/** A block: what one write to the disk held. */
export interface BlockHeader {
  /** Of the sealed bytes that follow. */
  readonly length: number;
  /** Offset of its first message. */
  readonly first: number;
  readonly count: number;
  /** When its first message came. */
  readonly at: EpochMs;
  /** Never twice under one key. */
  readonly nonce: bigint;
}

const MAGIC = encodeUtf8('HFSPOOL1');
export const SEGMENT_HEADER_BYTES = MAGIC.length + 4;
export const BLOCK_HEADER_BYTES = 32;
/** A block is one group commit; nothing longer was ever written. */
const MAX_BLOCK_BYTES = 16 * 1024 * 1024;
const MAX_COUNT = 65_536;
const DIGITS = 16;
const NAME = /^(\d{16})\.spool$/;

export function segmentName(first: number): string {
  return `${String(first).padStart(DIGITS, '0')}.spool`;
}

/** The offset a segment's name says; undefined for other files. */
export function segmentFirst(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function encodeSegmentHeader(epoch: number): Uint8Array {
  return concatBytes(MAGIC, new ByteWriter().u32be(epoch).finish());
}

/** The key epoch; undefined when this is no segment. */
export function decodeSegmentHeader(bytes: Uint8Array): number | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) return undefined;
  return new ByteReader(bytes, MAGIC.length).u32be('epoch');
}

/** @param spool - identity of the spool: a block of another one does not open. */
export function sealBlock(
  header: Omit<BlockHeader, 'length'>,
  content: Uint8Array,
  { key, spool }: { readonly key: Uint8Array; readonly spool: string },
): Uint8Array {
  const length = content.length + 16;
  const head = encodeBlockHeader({ ...header, length });
  return concatBytes(head, sealAesGcm({ key, nonce: nonceOf(header.nonce), aad: placeOf(spool, head) }, content));
}

/** @throws `crypto.open_failed` for a block that was altered, moved or torn. */
export function openBlock(
  header: BlockHeader,
  sealed: Uint8Array,
  { key, spool }: { readonly key: Uint8Array; readonly spool: string },
): Uint8Array {
  return openAesGcm({ key, nonce: nonceOf(header.nonce), aad: placeOf(spool, encodeBlockHeader(header)) }, sealed);
}

function encodeBlockHeader({ length, first, count, at, nonce }: BlockHeader): Uint8Array {
  return new ByteWriter(BLOCK_HEADER_BYTES)
    .u32be(length)
    .u64be(BigInt(first))
    .u32be(count)
    .u64be(BigInt(at))
    .u64be(nonce)
    .finish();
}

/** @returns undefined when the bytes are no header: a write was cut off here. */
export function decodeBlockHeader(bytes: Uint8Array, expectedFirst: number): BlockHeader | undefined {
  if (bytes.length < BLOCK_HEADER_BYTES) return undefined;
  const reader = new ByteReader(bytes);
  const length = reader.u32be('length');
  const first = Number(reader.u64be('first'));
  const count = reader.u32be('count');
  const at = Number(reader.u64be('time'));
  const nonce = reader.u64be('nonce');
  const isHeader =
    first >= expectedFirst && count > 0 && count <= MAX_COUNT && length >= 16 && length <= MAX_BLOCK_BYTES;
  return isHeader && Number.isSafeInteger(first) ? { length, first, count, at, nonce } : undefined;
}

function nonceOf(counter: bigint): Uint8Array {
  return new ByteWriter().u32be(0).u64be(counter).finish();
}

function placeOf(spool: string, head: Uint8Array): Uint8Array {
  return concatBytes(encodeUtf8(`holdfast/spool/${spool}/`), head);
}
