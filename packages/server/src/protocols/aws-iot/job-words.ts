import type { EpochMs, JsonValue } from '@holdfast/kernel';
import type { ExecutionRecord } from '@holdfast/trust/ports';
import type { JobExecution, JobExecutionState, JobSummary } from '@holdfast/wire/aws-iot';

/** Whole seconds since the Unix epoch, as every time on the Jobs topics. */
export function secondsOf(at: EpochMs): number {
  return Math.floor(at / 1000);
}

export function summaryOf(execution: ExecutionRecord): JobSummary {
  const { jobId, queuedAt, startedAt, lastUpdatedAt, versionNumber, executionNumber } = execution;
  return {
    jobId,
    queuedAt: secondsOf(queuedAt),
    startedAt: startedAt === undefined ? undefined : secondsOf(startedAt),
    lastUpdatedAt: secondsOf(lastUpdatedAt),
    versionNumber,
    executionNumber,
  };
}

/** Details that are empty are left out, as AWS does. */
function detailsOf({ statusDetails }: ExecutionRecord): ExecutionRecord['statusDetails'] | undefined {
  return Object.keys(statusDetails).length === 0 ? undefined : statusDetails;
}

export function stateOf(execution: ExecutionRecord): JobExecutionState {
  const { status, versionNumber } = execution;
  return { status, statusDetails: detailsOf(execution), versionNumber };
}

export function executionOf(
  execution: ExecutionRecord,
  now: EpochMs,
  document: { readonly [key: string]: JsonValue } | undefined,
): JobExecution {
  const { deviceId, status, stepDeadlineAt, inProgressDeadlineAt } = execution;
  const deadlines = [stepDeadlineAt, inProgressDeadlineAt].filter((at) => at !== undefined);
  const left = deadlines.length === 0 ? undefined : Math.max(0, Math.min(...deadlines) - now);
  return {
    ...summaryOf(execution),
    thingName: deviceId,
    status,
    statusDetails: detailsOf(execution),
    jobDocument: document,
    approximateSecondsBeforeTimedOut: left === undefined ? undefined : secondsOf(left),
  };
}
