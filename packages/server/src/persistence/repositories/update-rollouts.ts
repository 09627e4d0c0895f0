import type {
  JobRecord,
  JobRepository,
  Page,
  PageRequest,
  RolloutChange,
  RolloutRecord,
  RolloutRepository,
  RolloutTarget,
  Tenant,
  Write,
} from '@holdfast/trust/ports';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead, defineShapedRead, type Has } from '../read.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type { JobTable, RolloutTable } from '../tables/update.ts';
import { compileWrite } from '../write.ts';
import { pageOf } from './keyset-page.ts';
import { type PositionArgs, parsePosition, positionOf } from './update-position.ts';

const readRollout = defineRead((arg: ArgumentOf<{ tenant: string; rolloutId: string }>) =>
  query
    .selectFrom('rollouts')
    .selectAll()
    .where('tenant', '=', arg('tenant'))
    .where('rollout_id', '=', arg('rolloutId')),
);

const readRunning = defineRead(() => query.selectFrom('rollouts').selectAll().where('state', '=', 'running'));

const readRunningOfRelease = defineRead((arg: ArgumentOf<{ tenant: string; releaseId: string }>) =>
  query
    .selectFrom('rollouts')
    .selectAll()
    .where('state', '=', 'running')
    .where('tenant', '=', arg('tenant'))
    .where('release_id', '=', arg('releaseId')),
);

const readJob = defineRead((arg: ArgumentOf<{ tenant: string; jobId: string }>) =>
  query.selectFrom('jobs').selectAll().where('tenant', '=', arg('tenant')).where('job_id', '=', arg('jobId')),
);

const readHalfCancelled = defineRead(() =>
  query
    .selectFrom('jobs')
    .selectAll()
    .where('state', '=', 'cancelled')
    .where((e) =>
      e.exists(
        e
          .selectFrom('job_executions')
          .select('job_executions.device_id')
          .whereRef('job_executions.tenant', '=', 'jobs.tenant')
          .whereRef('job_executions.job_id', '=', 'jobs.job_id')
          .where('job_executions.open', '=', 1),
      ),
    ),
);

const readPage = defineShapedRead((arg: ArgumentOf<PositionArgs>, has: Has<PositionArgs>) => {
  let select = query.selectFrom('rollouts').selectAll().where('tenant', '=', arg('tenant'));
  if (has('at')) {
    select = select.where((e) =>
      e.or([
        e('created_at', '<', arg('at')),
        e.and([e('created_at', '=', arg('at')), e('rollout_id', '<', arg('id'))]),
      ]),
    );
  }
  return select.orderBy('created_at', 'desc').orderBy('rollout_id', 'desc').limit(arg('limit'));
});

export class SqlRolloutRepository implements RolloutRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, rolloutId: string): Promise<RolloutRecord | undefined> {
    const row = await this.#reader.first(readRollout({ tenant, rolloutId }));
    return row && fromRow(row);
  }

  async list(tenant: Tenant, page: PageRequest): Promise<Page<RolloutRecord>> {
    const position = page.after === undefined ? undefined : parsePosition(page.after);
    const rows = await this.#reader.all(readPage({ ...position, tenant, limit: page.limit + 1 }));
    return pageOf(rows.map(fromRow), page, ({ createdAt, rolloutId }) => positionOf(createdAt, rolloutId));
  }

  async listRunning(): Promise<readonly RolloutRecord[]> {
    const rows = await this.#reader.all(readRunning({}));
    return rows.map(fromRow);
  }

  async runningOfRelease(tenant: Tenant, releaseId: string): Promise<readonly RolloutRecord[]> {
    const rows = await this.#reader.all(readRunningOfRelease({ tenant, releaseId }));
    return rows.map(fromRow);
  }

  inserting(rollout: RolloutRecord): Write {
    return compileWrite(query.insertInto('rollouts').values(toRow(rollout)), { expectRows: 1 });
  }

  changing(from: RolloutRecord, change: RolloutChange): Write {
    const row = toRow({ ...from, ...change, revision: from.revision + 1 });
    const { state, queueing_done, queueing_after, revision } = row;
    return compileWrite(
      query
        .updateTable('rollouts')
        .set({ state, queueing_done, queueing_after, revision })
        .where('tenant', '=', from.tenant)
        .where('rollout_id', '=', from.rolloutId)
        .where('revision', '=', from.revision),
      { expectRows: 1 },
    );
  }
}

export class SqlJobRepository implements JobRepository {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async find(tenant: Tenant, jobId: string): Promise<JobRecord | undefined> {
    const row = await this.#reader.first(readJob({ tenant, jobId }));
    return row && jobFromRow(row);
  }

  async listHalfCancelled(): Promise<readonly JobRecord[]> {
    const rows = await this.#reader.all(readHalfCancelled({}));
    return rows.map(jobFromRow);
  }

  inserting(job: JobRecord): Write {
    return compileWrite(
      query.insertInto('jobs').values({
        tenant: job.tenant,
        job_id: job.jobId,
        release_id: job.releaseId ?? null,
        document: job.document,
        state: job.state,
        in_progress_timeout_minutes: job.inProgressTimeoutMinutes ?? null,
        created_at: job.createdAt,
        created_by: job.createdBy,
      }),
      { expectRows: 1 },
    );
  }

  cancelling(tenant: Tenant, jobId: string): Write {
    return this.#whileOpen(tenant, jobId, 'cancelled');
  }

  requiringOpen(tenant: Tenant, jobId: string): Write {
    return this.#whileOpen(tenant, jobId, 'open');
  }

  #whileOpen(tenant: Tenant, jobId: string, state: JobRecord['state']): Write {
    return compileWrite(
      query
        .updateTable('jobs')
        .set({ state })
        .where('tenant', '=', tenant)
        .where('job_id', '=', jobId)
        .where('state', '=', 'open'),
      { expectRows: 1 },
    );
  }
}

function jobFromRow(row: JobTable): JobRecord {
  return {
    tenant: row.tenant,
    jobId: row.job_id,
    releaseId: row.release_id ?? undefined,
    document: row.document,
    state: row.state as JobRecord['state'],
    inProgressTimeoutMinutes: row.in_progress_timeout_minutes ?? undefined,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}

function toRow(rollout: RolloutRecord): RolloutTable {
  return {
    tenant: rollout.tenant,
    rollout_id: rollout.rolloutId,
    release_id: rollout.releaseId,
    product: rollout.product,
    version: rollout.version,
    target: JSON.stringify(rollout.target),
    state: rollout.state,
    queueing_done: rollout.queueing.done ? 1 : 0,
    queueing_after: rollout.queueing.after ?? null,
    created_at: rollout.createdAt,
    created_by: rollout.createdBy,
    revision: rollout.revision,
  };
}

function fromRow(row: RolloutTable): RolloutRecord {
  return {
    tenant: row.tenant,
    rolloutId: row.rollout_id,
    releaseId: row.release_id,
    product: row.product,
    version: row.version,
    target: JSON.parse(row.target) as RolloutTarget,
    state: row.state as RolloutRecord['state'],
    queueing: { done: row.queueing_done === 1, after: row.queueing_after ?? undefined },
    createdAt: row.created_at,
    createdBy: row.created_by,
    revision: row.revision,
  };
}
