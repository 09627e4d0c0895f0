import { HoldfastError } from '@holdfast/kernel';
import type { ExecutionRepository, JobRecord } from '../ports/index.ts';
import type { ExecutionWriter, StepWish } from './execution-writer.ts';

const BATCH = 200;

/** Ends every open execution of a job that takes no new ones. @returns how many this call ended */
export async function cancelOpenExecutions(
  ports: { readonly executions: ExecutionRepository; readonly writer: ExecutionWriter },
  { tenant, jobId }: Pick<JobRecord, 'tenant' | 'jobId'>,
  wish: StepWish,
): Promise<number> {
  let cancelled = 0;
  for (;;) {
    const open = await ports.executions.openOfJob(tenant, jobId, BATCH);
    if (open.length === 0) return cancelled;
    for (const execution of open) {
      try {
        await ports.writer.step(execution, 'cancel', wish);
        cancelled += 1;
      } catch (error) {
        // The device ended or moved it first; the next round sees how it stands.
        if (!HoldfastError.is(error, 'store.conflict')) throw error;
      }
    }
  }
}
