import type {
  DeviceId,
  ExecutionChange,
  ExecutionCounts,
  ExecutionOutcome,
  ExecutionRecord,
  ExecutionRepository,
  ExecutionStatus,
  Page,
  PageRequest,
  Tenant,
  UpdateRepositories,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { JobExecutionTable } from '../tables/update.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';
import { type PositionArgs, parsePosition, positionOf } from './update-position.ts';
import { SqlReleaseRepository, SqlReleaseRootRepository } from './update-releases.ts';
import { SqlRehearsalRepository } from './update-rehearsals.ts';
import { SqlJobRepository, SqlRolloutRepository } from './update-rollouts.ts';

const MAX_PENDING = 1000;

const readCounts = defineRead((arg: ArgumentOf<{ tenant: string; jobId: string }>) =>
  query
    .selectFrom('job_executions')
    .select(['status', 'outcome'])
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('tenant', '=', arg('tenant'))
    .where('job_id', '=', arg('jobId'))
    .groupBy(['status', 'outcome']),
);

const readDue = defineRead((arg: ArgumentOf<{ now: number; limit: number }>) =>
  query
    .selectFrom('job_executions')
    .selectAll()
    .where('deadline_at', 'is not', null)
    .where('deadline_at', '<=', arg('now'))
    .orderBy('deadline_at')
    .limit(arg('limit')),
);

const ofDevice = (arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  query
    .selectFrom('job_executions')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('device_id', '=', arg('deviceId'));

const ofJob = (arg: ArgumentOf<{ tenant: string; jobId: string }>) =>
  query.selectFrom('job_executions').selectAll().where('tenant', '=', arg('tenant')).where('job_id', '=', arg('jobId'));

const readExecution = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string; jobId: string }>) =>
  ofDevice(arg).where('job_id', '=', arg('jobId')),
);

const readPending = defineRead((arg: ArgumentOf<{ tenant: string; deviceId: string }>) =>
  // IN_PROGRESS sorts before QUEUED.
  ofDevice(arg).where('open', '=', 1).orderBy('status').orderBy('queued_at').orderBy('job_id').limit(MAX_PENDING),
);

type DevicePageArgs = PositionArgs & { readonly deviceId: string };

const readPageOfDevice = defineShapedRead((arg: ArgumentOf<DevicePageArgs>, has: Has<DevicePageArgs>) => {
  let select = ofDevice(arg);
  if (has('at')) {
    select = select.where((e) =>
      e.or([e('queued_at', '<', arg('at')), e.and([e('queued_at', '=', arg('at')), e('job_id', '<', arg('id'))])]),
    );
  }
  return select.orderBy('queued_at', 'desc').orderBy('job_id', 'desc').limit(arg('limit'));
});

const readPageOfJob = defineRead((arg: ArgumentOf<{ tenant: string; jobId: string; after: string; limit: number }>) =>
  ofJob(arg).where('device_id', '>', arg('after')).orderBy('device_id').limit(arg('limit')),
);

const readOpen = defineRead((arg: ArgumentOf<{ tenant: string; jobId: string; limit: number }>) =>
  ofJob(arg).where('open', '=', 1).limit(arg('limit')),
);

class SqlExecutionRepository implements ExecutionRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, deviceId: DeviceId, jobId: string): Promise<ExecutionRecord | undefined> {
    const row = await this.#reader.first(readExecution({ tenant, deviceId, jobId }));
    return row && fromRow(row);
  }

  async pendingOf(tenant: Tenant, deviceId: DeviceId): Promise<readonly ExecutionRecord[]> {
    const rows = await this.#reader.all(readPending({ tenant, deviceId }));
    return rows.map(fromRow);
  }

  async listOfDevice(tenant: Tenant, deviceId: DeviceId, page: PageRequest): Promise<Page<ExecutionRecord>> {
    const position = page.after === undefined ? undefined : parsePosition(page.after);
    const rows = await this.#reader.all(readPageOfDevice({ ...position, tenant, deviceId, limit: page.limit + 1 }));
    return pageOf(rows.map(fromRow), page, ({ queuedAt, jobId }) => positionOf(queuedAt, jobId));
  }

  async listOfJob(tenant: Tenant, jobId: string, page: PageRequest): Promise<Page<ExecutionRecord>> {
    const rows = await this.#reader.all(
      readPageOfJob({ tenant, jobId, after: page.after ?? '', limit: page.limit + 1 }),
    );
    return pageOf(rows.map(fromRow), page, ({ deviceId }) => deviceId);
  }

  async openOfJob(tenant: Tenant, jobId: string, limit: number): Promise<readonly ExecutionRecord[]> {
    const rows = await this.#reader.all(readOpen({ tenant, jobId, limit }));
    return rows.map(fromRow);
  }

  async countOfJob(tenant: Tenant, jobId: string): Promise<ExecutionCounts> {
    const rows = await this.#reader.all(readCounts({ tenant, jobId }));
    const statuses: Partial<Record<ExecutionStatus, number>> = {};
    const outcomes: Partial<Record<ExecutionOutcome, number>> = {};
    for (const { status, outcome, count } of rows) {
      statuses[status as ExecutionStatus] = (statuses[status as ExecutionStatus] ?? 0) + count;
      if (outcome !== null) outcomes[outcome as ExecutionOutcome] = count;
    }
    return { statuses, outcomes };
  }

  async due(now: number, limit: number): Promise<readonly ExecutionRecord[]> {
    const rows = await this.#reader.all(readDue({ now, limit }));
    return rows.map(fromRow);
  }

  inserting(execution: ExecutionRecord): Write {
    return compileWrite(query.insertInto('job_executions').values(toRow(execution)), { expectRows: 1 });
  }

  changing(from: ExecutionRecord, change: ExecutionChange): Write {
    const row = toRow({ ...from, ...change, revision: from.revision + 1 });
    return compileWrite(
      query
        .updateTable('job_executions')
        .set(row)
        .where('tenant', '=', from.tenant)
        .where('device_id', '=', from.deviceId)
        .where('job_id', '=', from.jobId)
        .where('revision', '=', from.revision),
      { expectRows: 1 },
    );
  }
}

export function updateRepositories(reader: Reader): UpdateRepositories {
  return {
    releases: new SqlReleaseRepository(reader),
    releaseRoots: new SqlReleaseRootRepository(reader),
    rollouts: new SqlRolloutRepository(reader),
    jobs: new SqlJobRepository(reader),
    executions: new SqlExecutionRepository(reader),
    rehearsals: new SqlRehearsalRepository(reader),
  };
}

function toRow(execution: ExecutionRecord): JobExecutionTable {
  const { status, stepDeadlineAt, inProgressDeadlineAt } = execution;
  const deadlines = [stepDeadlineAt, inProgressDeadlineAt].filter((each) => each !== undefined);
  return {
    tenant: execution.tenant,
    device_id: execution.deviceId,
    job_id: execution.jobId,
    execution_number: execution.executionNumber,
    release_id: execution.releaseId ?? null,
    status,
    open: status === 'QUEUED' || status === 'IN_PROGRESS' ? 1 : 0,
    awaiting_proof: execution.awaitingProof ? 1 : 0,
    outcome: execution.outcome ?? null,
    reason: execution.reason ?? null,
    status_details: JSON.stringify(execution.statusDetails),
    version_number: execution.versionNumber,
    queued_at: execution.queuedAt,
    started_at: execution.startedAt ?? null,
    last_updated_at: execution.lastUpdatedAt,
    step_deadline_at: stepDeadlineAt ?? null,
    in_progress_deadline_at: inProgressDeadlineAt ?? null,
    deadline_at: deadlines.length === 0 ? null : Math.min(...deadlines),
    tried_at: execution.triedAt ?? null,
    revision: execution.revision,
  };
}

function fromRow(row: JobExecutionTable): ExecutionRecord {
  return {
    tenant: row.tenant,
    deviceId: row.device_id,
    jobId: row.job_id,
    executionNumber: row.execution_number,
    releaseId: row.release_id ?? undefined,
    status: row.status as ExecutionStatus,
    awaitingProof: row.awaiting_proof === 1,
    outcome: (row.outcome as ExecutionOutcome | null) ?? undefined,
    reason: row.reason ?? undefined,
    statusDetails: JSON.parse(row.status_details) as Readonly<Record<string, string>>,
    versionNumber: row.version_number,
    queuedAt: row.queued_at,
    startedAt: row.started_at ?? undefined,
    lastUpdatedAt: row.last_updated_at,
    stepDeadlineAt: row.step_deadline_at ?? undefined,
    inProgressDeadlineAt: row.in_progress_deadline_at ?? undefined,
    triedAt: row.tried_at ?? undefined,
    revision: row.revision,
  };
}
