import { HoldfastError } from '@holdfast/kernel';
import type { AuditLog, Outbox, RolloutRecord, Store, Tenant, UpdateRepositories } from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import { cancelOpenExecutions } from './cancel-open.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { retryConflict } from './retry-conflict.ts';

export interface RolloutStopPorts extends Pick<UpdateRepositories, 'executions' | 'jobs' | 'rollouts'> {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly writer: ExecutionWriter;
}

export interface StopReason {
  readonly state: 'cancelled' | 'halted';
  readonly reason: string;
}

/** Ends a rollout: first that nothing new starts, in one unit of work, then what is open, device by device. */
export class RolloutStop {
  readonly #ports: RolloutStopPorts;

  constructor(ports: RolloutStopPorts) {
    this.#ports = ports;
  }

  /** @throws `update.unknown_rollout`, `update.rollout_ended` */
  async run(
    principal: OperatorPrincipal | SystemPrincipal,
    rolloutId: string,
    how: StopReason,
  ): Promise<RolloutRecord> {
    const { tenant } = principal;
    const actor = actorOf(principal);
    await retryConflict(() => this.#close(tenant, rolloutId, { ...how, actor }));
    await cancelOpenExecutions(this.#ports, { tenant, jobId: rolloutId }, { actor, reason: how.reason });
    return this.#find(tenant, rolloutId);
  }

  async #close(tenant: Tenant, rolloutId: string, how: StopReason & { readonly actor: string }): Promise<void> {
    const { audit, jobs, outbox, rollouts, store } = this.#ports;
    const { actor, reason, state } = how;
    const rollout = await this.#find(tenant, rolloutId);
    if (rollout.state !== 'running') throw new HoldfastError('update.rollout_ended', { rollout: rolloutId });
    const details = { releaseId: rollout.releaseId, reason };
    await store.commit([
      rollouts.changing(rollout, { state }),
      jobs.cancelling(tenant, rolloutId),
      outbox.event({ tenant, name: 'rollout.cancelled', subject: rolloutId, data: details }),
      audit.entry({ tenant, actor, action: `rollout.${state}`, subject: rolloutId, details }),
    ]);
  }

  async #find(tenant: Tenant, rolloutId: string): Promise<RolloutRecord> {
    const rollout = await this.#ports.rollouts.find(tenant, rolloutId);
    if (rollout === undefined) throw new HoldfastError('update.unknown_rollout', { rollout: rolloutId });
    return rollout;
  }
}
