import type { EpochMs } from '@holdfast/kernel';
import type { DeviceId, ExecutionRecord, ExecutionRepository, Outbox, Tenant, Write } from '../ports/index.ts';
import { EXECUTION_MACHINE, listChangeOf } from './execution-machine.ts';

export interface QueueWish {
  readonly tenant: Tenant;
  readonly deviceId: DeviceId;
  readonly jobId: string;
  readonly releaseId: string | undefined;
  readonly at: EpochMs;
}

export function queuedExecution({ at, ...wish }: QueueWish): ExecutionRecord {
  return {
    ...wish,
    executionNumber: 1,
    status: EXECUTION_MACHINE.initial,
    awaitingProof: false,
    outcome: undefined,
    reason: undefined,
    statusDetails: {},
    versionNumber: 1,
    queuedAt: at,
    startedAt: undefined,
    lastUpdatedAt: at,
    stepDeadlineAt: undefined,
    inProgressDeadlineAt: undefined,
    triedAt: undefined,
    revision: 0,
  };
}

/** The writes that queue an execution and tell its device. */
export async function queueWrites(
  ports: { readonly executions: ExecutionRepository; readonly outbox: Outbox },
  execution: ExecutionRecord,
): Promise<readonly Write[]> {
  const { tenant, deviceId, jobId, status } = execution;
  const before = await ports.executions.pendingOf(tenant, deviceId);
  const data = { deviceId, status, ...listChangeOf(before, execution) };
  return [
    ports.executions.inserting(execution),
    ports.outbox.event({ tenant, name: 'execution.queued', subject: jobId, data }),
  ];
}
