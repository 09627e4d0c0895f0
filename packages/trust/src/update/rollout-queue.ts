import { type Clock, HoldfastError } from '@holdfast/kernel';
import type {
  Outbox,
  ProductRecord,
  ReleaseRecord,
  RolloutRecord,
  Store,
  UpdateRepositories,
  Write,
} from '../ports/index.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { queuedExecution, queueWrites } from './queueing.ts';
import { type PlanPorts, planPage } from './rollout-plan.ts';

export interface RolloutQueuePorts extends Pick<UpdateRepositories, 'executions' | 'jobs' | 'rollouts'>, PlanPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly writer: ExecutionWriter;
}

interface Subject {
  readonly release: ReleaseRecord;
  readonly product: ProductRecord;
}

/** Makes the executions of a rollout, one batch a unit of work, together with the place where the making stands. */
export class RolloutQueue {
  readonly #ports: RolloutQueuePorts;

  constructor(ports: RolloutQueuePorts) {
    this.#ports = ports;
  }

  /** Goes on where the row says; a cancellation in between stops the rest. */
  async run(from: RolloutRecord, subject: Subject): Promise<void> {
    const { tenant, rolloutId } = from;
    let rollout: RolloutRecord | undefined = from;
    while (rollout?.state === 'running' && !rollout.queueing.done) {
      await this.#batch(rollout, subject);
      rollout = await this.#ports.rollouts.find(tenant, rolloutId);
    }
    await this.#ports.writer.completeRollout(tenant, rolloutId);
  }

  async #batch(rollout: RolloutRecord, subject: Subject): Promise<void> {
    const { clock, executions, jobs, outbox, rollouts, store } = this.#ports;
    const { tenant, rolloutId, releaseId, target } = rollout;
    const page = await planPage(this.#ports, { tenant, target, ...subject }, rollout.queueing.after);
    const queueing = { done: page.next === undefined, after: page.next };
    const writes: Write[] = [rollouts.changing(rollout, { queueing }), jobs.requiringOpen(tenant, rolloutId)];
    for (const { deviceId, assignment } of page.devices) {
      if (assignment.kind !== 'target') continue;
      const execution = queuedExecution({ tenant, deviceId, jobId: rolloutId, releaseId, at: clock.now() });
      writes.push(...(await queueWrites({ executions, outbox }, execution)));
    }
    try {
      await store.commit(writes);
    } catch (error) {
      const now = await rollouts.find(tenant, rolloutId);
      const moved = now?.revision !== rollout.revision;
      if (!HoldfastError.is(error, 'store.conflict') || !moved) throw error;
    }
  }
}
