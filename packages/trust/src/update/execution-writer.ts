import type { Clock } from '@holdfast/kernel';
import type {
  AuditActor,
  AuditLog,
  ExecutionChange,
  ExecutionRecord,
  Outbox,
  Store,
  UpdateRepositories,
  Write,
} from '../ports/index.ts';
import {
  BEGINNINGS,
  EXECUTION_MACHINE,
  type ExecutionEvent,
  listChangeOf,
  OUTCOME_OF_EVENT,
} from './execution-machine.ts';

export interface ExecutionWriterPorts extends Pick<UpdateRepositories, 'executions' | 'jobs' | 'rollouts'> {
  readonly clock: Clock;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
}

export interface StepWish {
  readonly actor: AuditActor;
  readonly change?: ExecutionChange;
  /** Stable code or the device's own words; kept with the execution and in the log. */
  readonly reason?: string | undefined;
  /** The log's word, when the event's own says too little. */
  readonly action?: string;
}

const MAX_REASON = 256;

/** The one place that moves executions: state, log and event in one unit of work. */
export class ExecutionWriter {
  readonly #ports: ExecutionWriterPorts;

  constructor(ports: ExecutionWriterPorts) {
    this.#ports = ports;
  }

  /**
   * @throws `kernel.invalid_transition` when the state does not allow the event; `store.conflict` when the execution
   * changed meanwhile, or its job was cancelled before it started.
   */
  async step(from: ExecutionRecord, event: ExecutionEvent, wish: StepWish): Promise<ExecutionRecord> {
    const { executions, jobs, store } = this.#ports;
    const change = this.#changeOf(from, event, wish);
    const to: ExecutionRecord = { ...from, ...change, revision: from.revision + 1 };
    const before = await executions.pendingOf(from.tenant, from.deviceId);
    await store.commit([
      executions.changing(from, change),
      ...(from.status === 'QUEUED' && BEGINNINGS.has(event) ? [jobs.requiringOpen(from.tenant, from.jobId)] : []),
      ...this.#record(to, event, { ...wish, before }),
    ]);
    if (EXECUTION_MACHINE.isTerminal(to.status)) await this.completeRollout(to.tenant, to.jobId);
    return to;
  }

  /** A mark no device can see: its version stays, so that a device's expectedVersion keeps fitting. */
  async mark(from: ExecutionRecord, change: Pick<ExecutionChange, 'triedAt'>): Promise<void> {
    await this.#ports.store.commit([this.#ports.executions.changing(from, change)]);
  }

  /** Ends a running rollout whose every execution has ended; safe to repeat. */
  async completeRollout(tenant: string, rolloutId: string): Promise<void> {
    const { executions, rollouts, store, outbox, audit } = this.#ports;
    const rollout = await rollouts.find(tenant, rolloutId);
    if (rollout?.state !== 'running' || !rollout.queueing.done) return;
    if ((await executions.openOfJob(tenant, rolloutId, 1)).length > 0) return;
    const { releaseId } = rollout;
    const ended = [
      rollouts.changing(rollout, { state: 'completed' }),
      outbox.event({ tenant, name: 'rollout.completed', subject: rolloutId, data: { releaseId } }),
      audit.entry({ tenant, actor: 'system', action: 'rollout.completed', subject: rolloutId, details: { releaseId } }),
    ];
    try {
      await store.commit(ended);
    } catch (error) {
      // Two executions may end at once; the rollout completes for the first of them.
      const now = await rollouts.find(tenant, rolloutId);
      if (now?.state === 'running') throw error;
    }
  }

  #changeOf(from: ExecutionRecord, event: ExecutionEvent, wish: StepWish): ExecutionChange {
    const status = EXECUTION_MACHINE.step(from.status, event);
    const now = this.#ports.clock.now();
    const ends = EXECUTION_MACHINE.isTerminal(status);
    const reason = wish.reason?.slice(0, MAX_REASON);
    return {
      ...wish.change,
      status,
      versionNumber: from.versionNumber + 1,
      lastUpdatedAt: now,
      awaitingProof: !ends && (from.awaitingProof || event === 'claim'),
      ...(from.startedAt === undefined && event !== 'cancel' && event !== 'remove' ? { startedAt: now } : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(ends ? { outcome: OUTCOME_OF_EVENT[event], stepDeadlineAt: undefined, inProgressDeadlineAt: undefined } : {}),
    };
  }

  #record(
    to: ExecutionRecord,
    event: ExecutionEvent,
    how: StepWish & { readonly before: readonly ExecutionRecord[] },
  ): Write[] {
    const { tenant, deviceId, jobId, status, outcome } = to;
    const { audit, outbox } = this.#ports;
    const data = { deviceId, status, outcome: outcome ?? null, awaitingProof: to.awaitingProof };
    const changed = outbox.event({
      tenant,
      name: 'execution.changed',
      subject: jobId,
      data: { ...data, ...listChangeOf(how.before, to) },
    });
    if (event === 'progress') return [changed];
    const details = { ...data, reason: to.reason ?? null };
    return [
      changed,
      audit.entry({ tenant, actor: how.actor, action: how.action ?? ACTIONS[event], subject: jobId, details }),
    ];
  }
}

const ACTIONS: Readonly<Record<Exclude<ExecutionEvent, 'progress'>, string>> = {
  start: 'execution.started',
  claim: 'execution.claimed',
  succeed: 'execution.reported',
  prove: 'execution.proven',
  fail: 'execution.failed',
  reject: 'execution.rejected',
  'roll-back': 'execution.rolled_back',
  'time-out': 'execution.timed_out',
  cancel: 'execution.canceled',
  remove: 'execution.removed',
};
