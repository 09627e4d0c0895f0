import { HoldfastError } from '@holdfast/kernel';
import type { HttpsClient } from '../net/https-client.ts';
import type { SlotWriter } from './slot-writer.ts';

/** Blocks fetched by one ranged GET. */
const BLOCKS_AT_ONCE = 16;

/**
 * Fetches the missing blocks by HTTPS ranges until all are here.
 *
 * @throws `device.download_failed` for any answer but 206 with exactly the range asked for, `kernel.aborted`
 */
export async function downloadByRange(
  https: HttpsClient,
  url: string,
  writer: SlotWriter,
  onProgress: (received: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { blocks } = writer;
  try {
    for (let wanted = blocks.missing(BLOCKS_AT_ONCE); wanted !== undefined; wanted = blocks.missing(BLOCKS_AT_ONCE)) {
      const from = wanted.first * blocks.blockSize;
      const to = Math.min(from + runLength(wanted.bitmap, wanted.span) * blocks.blockSize, blocks.size);
      const bytes = await fetchRange(https, url, { from, to, size: blocks.size }, signal);
      for (let at = from; at < to; at += blocks.blockSize) {
        const block = at / blocks.blockSize;
        writer.put(block, bytes.subarray(at - from, at - from + blocks.lengthOf(block)));
      }
      onProgress(blocks.received);
    }
  } finally {
    writer.save();
  }
}

interface Range {
  readonly from: number;
  /** First byte after the range. */
  readonly to: number;
  readonly size: number;
}

async function fetchRange(
  https: HttpsClient,
  url: string,
  { from, to, size }: Range,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const reply = await https.send(
    { method: 'GET', url, headers: { Range: `bytes=${from}-${to - 1}` }, limit: to - from },
    signal,
  );
  const isWhole = reply.headers['content-range'] === `bytes ${from}-${to - 1}/${size}`;
  if (reply.status !== 206 || !isWhole || reply.body.length !== to - from) {
    throw new HoldfastError('device.download_failed', { status: reply.status, from, size: reply.body.length });
  }
  return reply.body;
}

/** Blocks in a row that are missing, from the first. */
function runLength(bitmap: Uint8Array, span: number): number {
  let length = 0;
  while (length < span && (((bitmap[length >> 3] ?? 0) >> (length & 7)) & 1) === 1) length++;
  return length;
}
