import { MAX_BITMAP_BYTES, MAX_REQUEST_BYTES, type StreamErrorCode } from './streams.ts';

const MIN_BLOCK_BYTES = 256;
const MAX_BLOCK_BYTES = MAX_REQUEST_BYTES;
const MAX_OFFSET = 98_304;
const MAX_COUNT = 98_304;

export interface BlockRequest {
  readonly fileBytes: number;
  readonly blockBytes: number;
  /** Index of the first block asked for. */
  readonly offset: number;
  /** At most this many blocks. */
  readonly count: number | undefined;
  /** Bit k of it (least significant first) asks for block `offset + k`. */
  readonly bitmap: Uint8Array | undefined;
}

export interface Block {
  readonly index: number;
  /** First byte in the file. */
  readonly start: number;
  /** Byte after the last one; the last block of a file is short. */
  readonly end: number;
}

export type BlockSelection =
  | { readonly kind: 'blocks'; readonly blocks: readonly Block[] }
  | { readonly kind: 'refused'; readonly code: StreamErrorCode };

/**
 * The blocks one request is answered with, at most 128 KiB together; the device asks again for the rest.
 *
 * @see AWS IoT developer guide, "Using AWS IoT MQTT-based file delivery in devices"
 */
export function selectBlocks(request: BlockRequest): BlockSelection {
  const { fileBytes, blockBytes, offset, bitmap } = request;
  const code = refusalOf(request);
  if (code !== undefined) return { kind: 'refused', code };
  const most = Math.floor(MAX_REQUEST_BYTES / blockBytes);
  const count = Math.min(request.count ?? most, most);
  const total = Math.ceil(fileBytes / blockBytes);
  const end = bitmap === undefined ? total : Math.min(total, offset + bitmap.length * 8);
  const blocks: Block[] = [];
  for (let index = offset; index < end && blocks.length < count; index++) {
    if (bitmap !== undefined && !isSet(bitmap, index - offset)) continue;
    const start = index * blockBytes;
    blocks.push({ index, start, end: Math.min(start + blockBytes, fileBytes) });
  }
  return { kind: 'blocks', blocks };
}

function refusalOf(request: BlockRequest): StreamErrorCode | undefined {
  const { fileBytes, blockBytes, offset, count, bitmap } = request;
  if (blockBytes < MIN_BLOCK_BYTES || blockBytes > MAX_BLOCK_BYTES) return 'BlockSizeOutOfBounds';
  if (offset > MAX_OFFSET || offset * blockBytes >= fileBytes) return 'OffsetOutOfBounds';
  if (count !== undefined && count > MAX_COUNT) return 'BlockCountLimitExceeded';
  if (bitmap !== undefined && bitmap.length >= MAX_BITMAP_BYTES) return 'BlockBitmapLimitExceeded';
  return undefined;
}

function isSet(bitmap: Uint8Array, bit: number): boolean {
  return ((bitmap[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}
