import { type Clock, encodeBase64Url, HoldfastError, type Random } from '@holdfast/kernel';
import {
  type AwsFormat,
  awsIotTopic,
  awsReplyTopics,
  decodeStreamData,
  decodeStreamRejection,
  encodeStreamGet,
  MAX_REQUEST_BYTES,
  STREAM_VERSION,
} from '@holdfast/wire/aws-iot';
import type { MqttConnection } from '../net/mqtt-connection.ts';
import type { SlotWriter } from './slot-writer.ts';

export interface StreamSource {
  readonly connection: MqttConnection;
  readonly thing: string;
  readonly stream: string;
  readonly fileId: number;
  readonly format: AwsFormat;
  readonly clock: Clock;
  readonly random: Random;
  /** How long no block may come before the missing ones are asked for again. */
  readonly quietMs?: number;
}

const MAX_QUIET_ROUNDS = 5;

/**
 * Fetches the missing blocks by AWS MQTT stream, asking with a bitmap, until all are here.
 *
 * @param onProgress - bytes that are here
 * @throws `device.download_failed` when the server rejects or stays quiet, `kernel.aborted`
 */
export async function downloadByStream(
  source: StreamSource,
  writer: SlotWriter,
  onProgress: (received: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { connection, thing, stream, format } = source;
  const request = { kind: 'stream-get', thing, stream, format } as const;
  const topics = awsReplyTopics(request);
  const round = new StreamRound(source, writer, onProgress);
  const stops = [
    connection.listen(topics.accepted, (payload) => round.take(payload)),
    connection.listen(topics.rejected, (payload) => round.reject(payload)),
  ];
  try {
    await connection.subscribe([topics.accepted, topics.rejected], 0);
    for (let quiet = 0; !writer.blocks.isComplete; ) {
      if (signal?.aborted === true) throw new HoldfastError('kernel.aborted');
      const came = await round.run(awsIotTopic(request), signal);
      quiet = came > 0 ? 0 : quiet + 1;
      if (quiet === MAX_QUIET_ROUNDS) throw new HoldfastError('device.download_failed', { reason: 'no blocks' });
    }
  } finally {
    for (const stop of stops) stop();
    writer.save();
  }
}

/** One request and the blocks that answer it. */
class StreamRound {
  readonly #source: StreamSource;
  readonly #writer: SlotWriter;
  readonly #onProgress: (received: number) => void;
  #came = 0;
  #expected = 0;
  #token = '';
  #done: PromiseWithResolvers<void> | undefined;
  #renew: (() => void) | undefined;

  constructor(source: StreamSource, writer: SlotWriter, onProgress: (received: number) => void) {
    this.#source = source;
    this.#writer = writer;
    this.#onProgress = onProgress;
  }

  /** @returns how many new blocks came */
  async run(topic: string, signal: AbortSignal | undefined): Promise<number> {
    const { connection, format, fileId, random } = this.#source;
    const { blocks } = this.#writer;
    const wanted = blocks.missing(Math.floor(MAX_REQUEST_BYTES / blocks.blockSize));
    if (wanted === undefined) return 0;
    this.#came = 0;
    this.#expected = countBits(wanted.bitmap);
    this.#token = encodeBase64Url(random.bytes(9));
    const done = Promise.withResolvers<void>();
    this.#done = done;
    const stop = this.#watch(done, signal);
    try {
      const message = {
        c: this.#token,
        s: STREAM_VERSION,
        f: fileId,
        l: blocks.blockSize,
        o: wanted.first,
        n: wanted.span,
        b: wanted.bitmap,
      };
      await connection.publish(topic, encodeStreamGet(format, message), 1);
      await Promise.race([done.promise, connection.closed.then((error) => Promise.reject(error))]);
    } finally {
      stop();
    }
    return this.#came;
  }

  take(payload: Uint8Array): void {
    try {
      const { c, f, i, p } = decodeStreamData(this.#source.format, payload);
      if (f !== this.#source.fileId || (c !== undefined && c !== this.#token) || this.#writer.blocks.has(i)) return;
      this.#writer.put(i, p);
      this.#came++;
      this.#onProgress(this.#writer.blocks.received);
      this.#renew?.();
      if (this.#came === this.#expected) this.#done?.resolve();
    } catch (error) {
      this.#done?.reject(error);
    }
  }

  reject(payload: Uint8Array): void {
    try {
      const { o } = decodeStreamRejection(this.#source.format, payload);
      this.#done?.reject(new HoldfastError('device.download_failed', { code: o }));
    } catch (error) {
      this.#done?.reject(error);
    }
  }

  /** Ends the round when no block has come for a while, or when the work is stopped. */
  #watch(done: PromiseWithResolvers<void>, signal: AbortSignal | undefined): () => void {
    const { clock, quietMs = 3000 } = this.#source;
    let timer = clock.after(quietMs, () => done.resolve());
    this.#renew = () => {
      timer.cancel();
      timer = clock.after(quietMs, () => done.resolve());
    };
    const abort = (): void => done.reject(new HoldfastError('kernel.aborted'));
    signal?.addEventListener('abort', abort, { once: true });
    return () => {
      timer.cancel();
      this.#renew = undefined;
      signal?.removeEventListener('abort', abort);
    };
  }
}

function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}
