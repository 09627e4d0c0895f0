import { type Clock, type EpochMs, type ErrorCode, HoldfastError } from '@holdfast/kernel';
import type { ExecutionChange, ExecutionRecord, JobRecord } from '../ports/index.ts';
import type { DevicePosture } from '../posture/index.ts';
import { actorOf, type DevicePrincipal } from '../principal.ts';
import { BEGINNINGS, EXECUTION_MACHINE, type ExecutionEvent, inNextOrder } from './execution-machine.ts';
import type { JobDocument } from './job-documents.ts';
import { judgeProof, saysItRestarts, saysItWentBack, triedSince } from './proof-rule.ts';
import { retryConflict } from './retry-conflict.ts';
import { StartGate, type StartGatePorts } from './start-gate.ts';

export interface DeviceJobsPorts extends StartGatePorts {
  readonly clock: Clock;
  readonly posture: { postureOf(owner: JobOwner): Promise<Pick<DevicePosture, 'rights'>> };
}

/** Whose jobs. */
export type JobOwner = Pick<DevicePrincipal, 'tenant' | 'deviceId'>;

export interface StartWish {
  readonly statusDetails?: Readonly<Record<string, string>> | undefined;
  /** 1-10,080; -1 cancels the running step timer. */
  readonly stepTimeoutMinutes?: number | undefined;
}

export interface UpdateWish extends StartWish {
  readonly status: 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED' | 'REJECTED';
  readonly expectedVersion?: number | undefined;
  readonly executionNumber?: number | undefined;
}

export interface AssignedJob {
  readonly execution: ExecutionRecord;
  readonly document: JobDocument;
}

export type UpdateOutcome =
  | { readonly kind: 'updated'; readonly execution: ExecutionRecord; readonly job: JobRecord }
  | {
      readonly kind: 'refused';
      readonly code: Extract<ErrorCode, 'update.version_mismatch' | 'update.invalid_transition'>;
      readonly execution: ExecutionRecord;
    };

const MINUTE_MS = 60_000;

/**
 * A device's own jobs. Everything is asked for and decided for the asking principal: no request names another device.
 *
 * Which release a device may start is judged here, when it asks, not by looking over the fleet.
 */
export class DeviceJobs {
  readonly #ports: DeviceJobsPorts;
  readonly #gate: StartGate;

  constructor(ports: DeviceJobsPorts) {
    this.#ports = ports;
    this.#gate = new StartGate(ports);
  }

  /** Pending executions in the order they will be worked on. */
  async pending(owner: JobOwner): Promise<readonly ExecutionRecord[]> {
    const pending = inNextOrder(await this.#ports.executions.pendingOf(owner.tenant, owner.deviceId));
    if (pending.every(isUpdate) || (await this.#mayWork(owner))) return pending;
    return pending.filter(isUpdate);
  }

  /** The next job, started; undefined when nothing is pending. */
  startNext(principal: DevicePrincipal, wish: StartWish): Promise<AssignedJob | undefined> {
    return retryConflict(async () => {
      const next = await this.#next(principal);
      if (next === undefined) return undefined;
      const { execution, job } = next;
      const started = execution.status === 'QUEUED';
      // A running job keeps its details (AWS StartNextPendingJobExecution); only its step timer may move.
      if (!started && wish.stepTimeoutMinutes === undefined) return next;
      const change = this.#changeOf(execution, job, started ? wish : { stepTimeoutMinutes: wish.stepTimeoutMinutes });
      const event = started ? 'start' : 'progress';
      const to = await this.#ports.writer.step(execution, event, { actor: actorOf(principal), change });
      return { execution: to, document: next.document };
    });
  }

  /** The next job as it is; undefined when nothing is pending. */
  describeNext(principal: JobOwner): Promise<AssignedJob | undefined> {
    return retryConflict(() => this.#next(principal));
  }

  /** @throws `update.unknown_job`, `update.execution_ended` */
  async describe(principal: DevicePrincipal, jobId: string, executionNumber?: number): Promise<AssignedJob> {
    return retryConflict(async () => {
      const { execution, job } = await this.#find(principal, jobId, executionNumber);
      const ended =
        EXECUTION_MACHINE.isTerminal(execution.status) || (await this.#gate.weed(execution, job)) !== undefined;
      const document = ended ? undefined : await this.#gate.documentOf(execution, job);
      if (document === undefined) throw new HoldfastError('update.execution_ended', { jobId });
      return { execution, document };
    });
  }

  /** @throws `update.unknown_job` */
  update(principal: DevicePrincipal, jobId: string, wish: UpdateWish): Promise<UpdateOutcome> {
    return retryConflict(async () => {
      const { execution, job } = await this.#find(principal, jobId, wish.executionNumber);
      if (wish.expectedVersion !== undefined && wish.expectedVersion !== execution.versionNumber) {
        return { kind: 'refused', code: 'update.version_mismatch', execution };
      }
      // Evidence may overtake the device's word; repeating what is proven is not a wrong transition.
      if (execution.outcome === 'proven' && wish.status === 'SUCCEEDED') return { kind: 'updated', execution, job };
      const event = await this.#eventOf(principal, execution, wish);
      if (EXECUTION_MACHINE.next(execution.status, event) === undefined) {
        return { kind: 'refused', code: 'update.invalid_transition', execution };
      }
      const ended = BEGINNINGS.has(event) ? await this.#gate.weed(execution, job) : undefined;
      if (ended !== undefined) return { kind: 'refused', code: 'update.invalid_transition', execution: ended };
      const change = this.#changeOf(execution, job, wish, event);
      const reason = wish.status === 'FAILED' || wish.status === 'REJECTED' ? reasonIn(wish.statusDetails) : undefined;
      const to = await this.#ports.writer.step(execution, event, { actor: actorOf(principal), change, reason });
      return { kind: 'updated', execution: to, job };
    });
  }

  /** The document of a job the device has, for a reply that includes it; undefined when it is not what was signed. */
  async documentOf(principal: DevicePrincipal, jobId: string): Promise<JobDocument | undefined> {
    const { job } = await this.#find(principal, jobId);
    const verdict = await this.#gate.judgeDocument(job);
    return verdict.kind === 'sound' ? verdict.document : undefined;
  }

  async #find(
    { tenant, deviceId }: DevicePrincipal,
    jobId: string,
    executionNumber?: number,
  ): Promise<{ readonly execution: ExecutionRecord; readonly job: JobRecord }> {
    const execution = await this.#ports.executions.find(tenant, deviceId, jobId);
    const job = await this.#ports.jobs.find(tenant, jobId);
    const other = executionNumber !== undefined && executionNumber !== execution?.executionNumber;
    const found = execution !== undefined && job !== undefined && !other;
    if (!found || !(isUpdate(execution) || (await this.#mayWork({ tenant, deviceId })))) {
      throw new HoldfastError('update.unknown_job', { jobId });
    }
    return { execution, job };
  }

  /** A device that has to prove itself or to update gets nothing else to do: other jobs wait for its rights. */
  async #mayWork(owner: JobOwner): Promise<boolean> {
    return (await this.#ports.posture.postureOf(owner)).rights === 'full';
  }

  /** Ends what may not go to this device until the first that may. */
  async #next(principal: JobOwner): Promise<(AssignedJob & { readonly job: JobRecord }) | undefined> {
    for (const execution of await this.pending(principal)) {
      const job = await this.#ports.jobs.find(execution.tenant, execution.jobId);
      if (job === undefined || (await this.#gate.weed(execution, job)) !== undefined) continue;
      const document = await this.#gate.documentOf(execution, job);
      if (document !== undefined) return { execution, job, document };
    }
    return undefined;
  }

  async #eventOf(principal: JobOwner, execution: ExecutionRecord, wish: UpdateWish): Promise<ExecutionEvent> {
    const { status, statusDetails = {} } = wish;
    if (status === 'SUCCEEDED') return this.#successOf(principal, execution);
    if (status === 'IN_PROGRESS') return execution.status === 'QUEUED' ? 'start' : 'progress';
    if (status === 'REJECTED') return 'reject';
    const wentBack =
      execution.releaseId !== undefined && execution.status === 'IN_PROGRESS' && saysItWentBack(statusDetails);
    return wentBack ? 'roll-back' : 'fail';
  }

  /** The rule of proof: where evidence is required a device's word alone ends nothing. */
  async #successOf({ tenant, deviceId }: JobOwner, execution: ExecutionRecord): Promise<ExecutionEvent> {
    const { postures, products, releases } = this.#ports;
    if (execution.releaseId === undefined) return 'succeed';
    const release = await releases.find(tenant, execution.releaseId);
    const product = release && (await products.find(tenant, release.product));
    if (product?.evidence === 'none') return 'succeed';
    const evidence = (await postures.find(tenant, deviceId))?.evidence;
    if (release === undefined || evidence === undefined) return 'claim';
    return judgeProof({ execution, release, evidence }).kind === 'proves' ? 'prove' : 'claim';
  }

  #changeOf(execution: ExecutionRecord, job: JobRecord, wish: StartWish, event?: ExecutionEvent): ExecutionChange {
    const now = this.#ports.clock.now();
    const { statusDetails, stepTimeoutMinutes } = wish;
    const limit = job.inProgressTimeoutMinutes;
    const tried = execution.releaseId !== undefined && (event === 'claim' || saysItRestarts(statusDetails ?? {}));
    return {
      ...(statusDetails === undefined ? {} : { statusDetails }),
      ...(stepTimeoutMinutes === undefined ? {} : { stepDeadlineAt: stepDeadline(now, stepTimeoutMinutes) }),
      ...(execution.status === 'QUEUED' && limit !== undefined
        ? { inProgressDeadlineAt: now + limit * MINUTE_MS }
        : {}),
      ...(tried ? { triedAt: triedSince(execution, now) } : {}),
    };
  }
}

function isUpdate({ releaseId }: ExecutionRecord): boolean {
  return releaseId !== undefined;
}

/** What a device gave as its reason, by the members that FreeRTOS agents and ours use. */
function reasonIn(details: Readonly<Record<string, string>> = {}): string | undefined {
  const said = [details['code'], details['reason']].filter((each) => each !== undefined);
  return said.length === 0 ? undefined : said.join(': ');
}

function stepDeadline(now: EpochMs, minutes: number): EpochMs | undefined {
  return minutes < 0 ? undefined : now + minutes * MINUTE_MS;
}
