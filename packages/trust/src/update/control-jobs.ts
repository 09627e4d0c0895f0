import { type Clock, HoldfastError, type JsonValue } from '@holdfast/kernel';
import { JOB_ID, MAX_TIMEOUT_MINUTES } from '@holdfast/wire/aws-iot';
import type {
  AuditLog,
  DeviceId,
  DeviceRepository,
  ExecutionRecord,
  JobRecord,
  Outbox,
  Page,
  PageRequest,
  Store,
  Tenant,
  UpdateRepositories,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal } from '../principal.ts';
import { cancelOpenExecutions } from './cancel-open.ts';
import { EXECUTION_MACHINE } from './execution-machine.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { encodeJobDocument } from './job-documents.ts';
import { queuedExecution, queueWrites } from './queueing.ts';
import { retryConflict } from './retry-conflict.ts';

export interface ControlJobsPorts extends Pick<UpdateRepositories, 'executions' | 'jobs'> {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly writer: ExecutionWriter;
  readonly devices: DeviceRepository;
}

/** A job that is not firmware: it ends on the device's word. */
export interface JobWish {
  readonly jobId: string;
  readonly deviceIds: readonly DeviceId[];
  readonly document: JsonValue;
  readonly inProgressTimeoutMinutes: number | undefined;
}

const BATCH = 500;

/** Jobs as an operator sees them. */
export class ControlJobs {
  readonly #ports: ControlJobsPorts;

  constructor(ports: ControlJobsPorts) {
    this.#ports = ports;
  }

  /**
   * Queues a job for devices the registry knows and holds neither revoked nor archived.
   *
   * @throws `update.job_exists`, `update.bad_document`, `update.no_targets`
   */
  async create(principal: OperatorPrincipal, wish: JobWish): Promise<{ readonly queued: readonly DeviceId[] }> {
    const { tenant } = principal;
    const job = this.#newJob(principal, wish);
    if (await this.#ports.jobs.find(tenant, wish.jobId))
      throw new HoldfastError('update.job_exists', { jobId: wish.jobId });
    const targets = await this.#known(tenant, wish.deviceIds);
    if (targets.length === 0) throw new HoldfastError('update.no_targets', { jobId: wish.jobId });
    const { audit, jobs, store } = this.#ports;
    const details = { devices: targets.length };
    const entry = { tenant, actor: job.createdBy, action: 'job.created', subject: job.jobId, details };
    const creation: Write[] = [jobs.inserting(job), audit.entry(entry)];
    for (let at = 0; at < targets.length; at += BATCH) {
      const guard = at === 0 ? creation : [jobs.requiringOpen(tenant, job.jobId)];
      await store.commit([...guard, ...(await this.#queue(job, targets.slice(at, at + BATCH)))]);
    }
    return { queued: targets };
  }

  /** @throws `update.unknown_job` */
  async show(tenant: Tenant, jobId: string): Promise<JobRecord> {
    const job = await this.#ports.jobs.find(tenant, jobId);
    if (job === undefined) throw new HoldfastError('update.unknown_job', { jobId });
    return job;
  }

  executions(tenant: Tenant, jobId: string, page: PageRequest): Promise<Page<ExecutionRecord>> {
    return this.#ports.executions.listOfJob(tenant, jobId, page);
  }

  executionsOfDevice(tenant: Tenant, deviceId: DeviceId, page: PageRequest): Promise<Page<ExecutionRecord>> {
    return this.#ports.executions.listOfDevice(tenant, deviceId, page);
  }

  /** Ends every open execution. @returns how many. @throws `update.unknown_job`, `update.job_ended` */
  async cancel(principal: OperatorPrincipal, jobId: string): Promise<{ readonly cancelled: number }> {
    const { tenant } = principal;
    const { audit, jobs, store } = this.#ports;
    const job = await this.show(tenant, jobId);
    // A rollout's job ends with its rollout, which has a state of its own.
    if (job.state !== 'open' || job.releaseId !== undefined) throw new HoldfastError('update.job_ended', { jobId });
    const actor = actorOf(principal);
    await store.commit([
      jobs.cancelling(tenant, jobId),
      audit.entry({ tenant, actor, action: 'job.cancelled', subject: jobId, details: {} }),
    ]);
    return { cancelled: await cancelOpenExecutions(this.#ports, job, { actor }) };
  }

  /** Ends whatever a device has open, when it is revoked or taken out of service. */
  async cancelAllOf(tenant: Tenant, deviceId: DeviceId, reason: string): Promise<void> {
    for (const { jobId } of await this.#ports.executions.pendingOf(tenant, deviceId)) {
      await this.#cancelOne(tenant, deviceId, { jobId, actor: 'system', reason });
    }
  }

  #cancelOne(
    tenant: Tenant,
    deviceId: DeviceId,
    wish: { readonly jobId: string; readonly actor: string; readonly reason?: string },
  ): Promise<boolean> {
    return retryConflict(async () => {
      const execution = await this.#ports.executions.find(tenant, deviceId, wish.jobId);
      if (execution === undefined || EXECUTION_MACHINE.isTerminal(execution.status)) return false;
      await this.#ports.writer.step(execution, 'cancel', { actor: wish.actor, reason: wish.reason });
      return true;
    });
  }

  #newJob(principal: OperatorPrincipal, wish: JobWish): JobRecord {
    const minutes = wish.inProgressTimeoutMinutes;
    const outside = minutes !== undefined && !(minutes >= 1 && minutes <= MAX_TIMEOUT_MINUTES);
    if (!JOB_ID.test(wish.jobId) || outside)
      throw new HoldfastError('update.bad_document', { reason: 'id or timeout' });
    return {
      tenant: principal.tenant,
      jobId: wish.jobId,
      releaseId: undefined,
      document: encodeJobDocument(wish.document),
      state: 'open',
      inProgressTimeoutMinutes: minutes,
      createdAt: this.#ports.clock.now(),
      createdBy: actorOf(principal),
    };
  }

  async #known(tenant: Tenant, deviceIds: readonly DeviceId[]): Promise<readonly DeviceId[]> {
    const known: DeviceId[] = [];
    for (const deviceId of new Set(deviceIds)) {
      const device = await this.#ports.devices.find(tenant, deviceId);
      if (device !== undefined && device.state !== 'revoked' && device.state !== 'archived') known.push(deviceId);
    }
    return known;
  }

  async #queue(job: JobRecord, deviceIds: readonly DeviceId[]): Promise<readonly Write[]> {
    const { clock, executions, outbox } = this.#ports;
    const { tenant, jobId } = job;
    const writes: Write[] = [];
    for (const deviceId of deviceIds) {
      const execution = queuedExecution({ tenant, deviceId, jobId, releaseId: undefined, at: clock.now() });
      writes.push(...(await queueWrites({ executions, outbox }, execution)));
    }
    return writes;
  }
}
