// The thread of one rehearsal: its request comes with it, its report is the last it says.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock, toHoldfastError } from '@holdfast/kernel';
import { rehearse, type RehearsalRequest } from '@holdfast/trust/boot';
import type { RehearsalReply } from './thread-rehearser.ts';

function reply(message: RehearsalReply): void {
  parentPort?.postMessage(message, []);
}

try {
  const report = await rehearse(workerData as RehearsalRequest, {
    clock: systemClock,
    onProgress: (progress) => reply({ kind: 'progress', progress }),
  });
  reply({ kind: 'report', report });
} catch (error) {
  const { code, details } = toHoldfastError(error);
  reply({ kind: 'failed', code, details });
}
