// The thread that writes: opens the file on the first request, answers every request once, in order.
import { parentPort, workerData } from 'node:worker_threads';
import { fromSqlite } from './dialects/sqlite-errors.ts';
import type { WriterReply, WriterRequest } from './writer.ts';
import { WriterCore, type WriterOptions } from './writer-core.ts';

let core: WriterCore | undefined;

function answer(request: WriterRequest): WriterReply {
  core ??= new WriterCore(workerData as WriterOptions);
  if (request.kind === 'run') return { kind: 'ran', result: core.run(request.units) };
  if (request.kind === 'checkpoint') core.checkpoint();
  else core.close();
  return { kind: 'done' };
}

function reply(message: WriterReply): void {
  parentPort?.postMessage(message, []);
}

parentPort?.on('message', (request: WriterRequest) => {
  try {
    reply(answer(request));
  } catch (error) {
    const { code, details } = fromSqlite(error);
    reply({ kind: 'failed', code, details });
  }
});
