import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, type ErrorDetails, HoldfastError } from '@holdfast/kernel';
import type { RehearsalProgress, RehearsalReport, RehearsalRequest } from '@holdfast/trust/boot';
import type { Rehearser } from '@holdfast/trust/update';

export type RehearsalReply =
  | { readonly kind: 'progress'; readonly progress: RehearsalProgress }
  | { readonly kind: 'report'; readonly report: RehearsalReport }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly details: ErrorDetails };

type Watch = Parameters<Rehearser['run']>[1];

/** Images of 64 MiB and the chip they are in; a thread that wants more ends, and the server goes on. */
const LIMITS = { maxOldGenerationSizeMb: 256 };

/** Rehearses on a thread of its own, one release after the other, each on a fresh one whose memory goes with it. */
export class ThreadRehearser implements Rehearser {
  #last: Promise<unknown> = Promise.resolve();

  run(request: RehearsalRequest, watch: Watch): Promise<RehearsalReport> {
    const turn = this.#last.then(() => runOnThread(request, watch));
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

async function runOnThread(request: RehearsalRequest, { signal, onProgress }: Watch): Promise<RehearsalReport> {
  if (signal.aborted) throw new HoldfastError('boot.rehearsal_cancelled');
  const entry = new URL(`./rehearsal-thread${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
  const worker = new Worker(entry, { workerData: request, name: 'rehearsal', resourceLimits: LIMITS });
  const { promise, resolve, reject } = Promise.withResolvers<RehearsalReport>();
  const cancel = () => reject(new HoldfastError('boot.rehearsal_cancelled'));
  signal.addEventListener('abort', cancel, { once: true });
  worker.on('message', (reply: RehearsalReply) => {
    if (reply.kind === 'progress') onProgress(reply.progress);
    else if (reply.kind === 'report') resolve(reply.report);
    else reject(new HoldfastError(reply.code, reply.details));
  });
  worker.on('error', (cause) => reject(new HoldfastError('boot.rehearsal_failed', {}, { cause })));
  worker.on('exit', (code) => reject(new HoldfastError('boot.rehearsal_failed', { exit: code })));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', cancel);
    await worker.terminate();
  }
}
