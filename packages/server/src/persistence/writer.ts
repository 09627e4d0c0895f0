import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, type ErrorDetails, HoldfastError } from '@holdfast/kernel';
import { type BatchResult, type Unit, WriterCore, type WriterOptions } from './writer-core.ts';

const MAX_BATCH = 4096;

/** Where batches run. One batch is under way at a time. */
export interface Writer {
  /** The state the store opened with. */
  readonly opened: Opened;
  /** Most units of one batch, so that one unit never waits for an endless one. */
  readonly maxBatch: number;
  run(units: readonly Unit[]): Promise<BatchResult>;
  checkpoint(): Promise<void>;
  close(): Promise<void>;
}

export interface Opened {
  readonly lastEvent: number;
  readonly auditSize: number;
}

export type WriterRequest =
  | { readonly kind: 'run'; readonly units: readonly Unit[] }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'close' };

export type WriterReply =
  | { readonly kind: 'ran'; readonly result: BatchResult }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly details: ErrorDetails };

/** Runs batches on the calling thread: for stores in memory, which no other thread can see. */
export class InlineWriter implements Writer {
  readonly maxBatch = MAX_BATCH;
  readonly core: WriterCore;
  readonly opened: Opened;

  constructor(options: WriterOptions) {
    this.core = new WriterCore(options);
    this.opened = this.core.run([]);
  }

  async run(units: readonly Unit[]): Promise<BatchResult> {
    return this.core.run(units);
  }

  async checkpoint(): Promise<void> {
    this.core.checkpoint();
  }

  async close(): Promise<void> {
    this.core.close();
  }
}

interface Waiting {
  readonly resolve: (reply: WriterReply) => void;
  readonly reject: (error: HoldfastError) => void;
}

/** Runs batches on a thread of its own, so that waiting for the disk stops nothing else. */
export class WorkerWriter implements Writer {
  readonly maxBatch = MAX_BATCH;
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #gone: HoldfastError | undefined;
  #opened: Opened = { lastEvent: 0, auditSize: 0 };

  private constructor(options: WriterOptions) {
    const entry = new URL(`./writer-worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
    this.#worker = new Worker(entry, { workerData: options, name: 'store-writer' });
    this.#worker.on('message', (reply: WriterReply) => this.#waiting.shift()?.resolve(reply));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  /** @throws what opening the file throws. */
  static async open(options: WriterOptions): Promise<WorkerWriter> {
    const writer = new WorkerWriter(options);
    try {
      writer.#opened = await writer.run([]);
      return writer;
    } catch (error) {
      await writer.#worker.terminate();
      throw error;
    }
  }

  get opened(): Opened {
    return this.#opened;
  }

  async run(units: readonly Unit[]): Promise<BatchResult> {
    const reply = await this.#ask({ kind: 'run', units });
    if (reply.kind !== 'ran') throw new HoldfastError('kernel.internal', { reply: reply.kind });
    return reply.result;
  }

  async checkpoint(): Promise<void> {
    await this.#ask({ kind: 'checkpoint' });
  }

  async close(): Promise<void> {
    await this.#ask({ kind: 'close' });
    await this.#worker.terminate();
  }

  async #ask(request: WriterRequest): Promise<WriterReply> {
    if (this.#gone) throw this.#gone;
    const reply = await new Promise<WriterReply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request, []);
    });
    if (reply.kind === 'failed') throw new HoldfastError(reply.code, reply.details);
    return reply;
  }

  #fail(cause: unknown): void {
    this.#gone ??= new HoldfastError('store.unavailable', { reason: 'writer ended' }, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#gone);
  }
}
