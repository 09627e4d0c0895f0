import { type Clock, encodeHex, HoldfastError, type JsonValue, type Random } from '@holdfast/kernel';
import type {
  AuditLog,
  DeviceId,
  DeviceRepository,
  ExecutionCounts,
  ExecutionRecord,
  JobRecord,
  Outbox,
  Page,
  PageRequest,
  PostureRepository,
  ProductRecord,
  ProductRepository,
  ReleaseRecord,
  RolloutRecord,
  RolloutTarget,
  Store,
  Tenant,
  UpdateRepositories,
  Write,
} from '../ports/index.ts';
import { actorOf, type OperatorPrincipal, type SystemPrincipal } from '../principal.ts';
import type { ExclusionCode } from './assignment.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { encodeJobDocument } from './job-documents.ts';
import { queuedExecution, queueWrites } from './queueing.ts';
import { retryConflict } from './retry-conflict.ts';
import { type PlannedDevice, type PlanWish, planPage } from './rollout-plan.ts';

export interface RolloutsPorts extends UpdateRepositories {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly writer: ExecutionWriter;
  readonly devices: DeviceRepository;
  readonly postures: PostureRepository;
  readonly products: ProductRepository;
  /** The job document of a release (`wire/holdfast` firmware job). */
  readonly documentOf: (release: ReleaseRecord) => JsonValue;
}

export interface RolloutWish {
  readonly releaseId: string;
  readonly target: RolloutTarget;
  /** 1-10,080, from the start of an execution to its proof. */
  readonly inProgressTimeoutMinutes: number;
}

export interface RolloutPlan {
  readonly targets: readonly DeviceId[];
  readonly excluded: readonly { readonly deviceId: DeviceId; readonly code: ExclusionCode; readonly words: string }[];
}

type Actor = OperatorPrincipal | SystemPrincipal;

const CANCEL_BATCH = 200;

/** Brings a release to devices. Executions are made in batches, each with the place where the making stands. */
export class Rollouts {
  readonly #ports: RolloutsPorts;

  constructor(ports: RolloutsPorts) {
    this.#ports = ports;
  }

  /** Whom a rollout would reach and whom not, with the reason. @throws `update.unknown_release` */
  async plan(tenant: Tenant, wish: Pick<RolloutWish, 'releaseId' | 'target'>): Promise<RolloutPlan> {
    const { release, product } = await this.#releaseOf(tenant, wish.releaseId);
    const targets: DeviceId[] = [];
    const excluded: RolloutPlan['excluded'][number][] = [];
    for await (const { deviceId, assignment } of this.#judged({ tenant, target: wish.target, release, product })) {
      if (assignment.kind === 'target') targets.push(deviceId);
      else excluded.push({ deviceId, code: assignment.code, words: assignment.words });
    }
    return { targets, excluded };
  }

  /**
   * Starts a rollout: its executions are queued when this resolves.
   *
   * @throws `update.unknown_release`, `update.release_cancelled`, `update.counter_below_floor`, `update.no_targets`
   */
  async create(principal: Actor, wish: RolloutWish): Promise<RolloutRecord> {
    const { tenant } = principal;
    const { release, product } = await this.#releaseOf(tenant, wish.releaseId);
    if (release.state !== 'published') throw new HoldfastError('update.release_cancelled', { release: wish.releaseId });
    if (release.counter < product.minimumCounter) {
      throw new HoldfastError('update.counter_below_floor', {
        counter: release.counter,
        floor: product.minimumCounter,
      });
    }
    if (!(await this.#reachesAnyone({ tenant, target: wish.target, release, product }))) {
      throw new HoldfastError('update.no_targets', { release: wish.releaseId });
    }
    const rollout = this.#newRollout(principal, release, wish.target);
    await this.#ports.store.commit(this.#creation(rollout, release, wish));
    await this.#queue(rollout);
    return this.show(tenant, rollout.rolloutId);
  }

  /** @throws `update.unknown_rollout` */
  async show(tenant: Tenant, rolloutId: string): Promise<RolloutRecord> {
    const rollout = await this.#ports.rollouts.find(tenant, rolloutId);
    if (rollout === undefined) throw new HoldfastError('update.unknown_rollout', { rollout: rolloutId });
    return rollout;
  }

  list(tenant: Tenant, page: PageRequest): Promise<Page<RolloutRecord>> {
    return this.#ports.rollouts.list(tenant, page);
  }

  counts(tenant: Tenant, rolloutId: string): Promise<ExecutionCounts> {
    return this.#ports.executions.countOfJob(tenant, rolloutId);
  }

  executions(tenant: Tenant, rolloutId: string, page: PageRequest): Promise<Page<ExecutionRecord>> {
    return this.#ports.executions.listOfJob(tenant, rolloutId, page);
  }

  /** No new device starts from here on and every open execution ends. @throws `update.rollout_ended` */
  cancel(principal: Actor, rolloutId: string): Promise<RolloutRecord> {
    return this.#stop(principal, rolloutId, { state: 'cancelled', reason: 'the rollout was cancelled' });
  }

  /** Stops what uses a file that no longer is what was signed. */
  async artifactCorrupt(artifactId: string): Promise<void> {
    for (const { tenant, releaseId } of await this.#ports.releases.ofArtifact(artifactId)) {
      const system: SystemPrincipal = { kind: 'system', tenant };
      for (const { rolloutId } of await this.#ports.rollouts.runningOfRelease(tenant, releaseId)) {
        await this.#stop(system, rolloutId, { state: 'halted', reason: 'the stored image is damaged' });
      }
    }
  }

  /** Stops every rollout of a release that was withdrawn. */
  async releaseCancelled(tenant: Tenant, releaseId: string): Promise<void> {
    for (const { rolloutId } of await this.#ports.rollouts.runningOfRelease(tenant, releaseId)) {
      await this.#stop({ kind: 'system', tenant }, rolloutId, {
        state: 'cancelled',
        reason: 'the release was withdrawn',
      });
    }
  }

  /** Finishes what a stop of the process interrupted: queueing and completion. */
  async resume(): Promise<void> {
    for (const rollout of await this.#ports.rollouts.listRunning()) {
      if (rollout.queueing.done) await this.#ports.writer.completeRollout(rollout.tenant, rollout.rolloutId);
      else await this.#queue(rollout);
    }
  }

  async #releaseOf(
    tenant: Tenant,
    releaseId: string,
  ): Promise<{ readonly release: ReleaseRecord; readonly product: ProductRecord }> {
    const release = await this.#ports.releases.find(tenant, releaseId);
    if (release === undefined) throw new HoldfastError('update.unknown_release', { release: releaseId });
    const product = await this.#ports.products.find(tenant, release.product);
    if (product === undefined) throw new HoldfastError('update.unknown_product', { product: release.product });
    return { release, product };
  }

  async *#judged(wish: PlanWish): AsyncGenerator<PlannedDevice> {
    let after: string | undefined;
    do {
      const page = await planPage(this.#ports, wish, after);
      yield* page.devices;
      after = page.next;
    } while (after !== undefined);
  }

  async #reachesAnyone(wish: PlanWish): Promise<boolean> {
    for await (const { assignment } of this.#judged(wish)) if (assignment.kind === 'target') return true;
    return false;
  }

  #newRollout(principal: Actor, release: ReleaseRecord, target: RolloutTarget): RolloutRecord {
    const { clock, random } = this.#ports;
    return {
      tenant: principal.tenant,
      rolloutId: `ro-${encodeHex(random.bytes(10))}`,
      releaseId: release.releaseId,
      product: release.product,
      version: release.version,
      target,
      state: 'running',
      queueing: { done: false, after: undefined },
      createdAt: clock.now(),
      createdBy: actorOf(principal),
      revision: 0,
    };
  }

  #creation(rollout: RolloutRecord, release: ReleaseRecord, wish: RolloutWish): readonly Write[] {
    const { audit, documentOf, jobs, outbox, rollouts } = this.#ports;
    const { tenant, rolloutId, releaseId, createdAt, createdBy } = rollout;
    const job: JobRecord = {
      tenant,
      jobId: rolloutId,
      releaseId,
      document: encodeJobDocument(documentOf(release)),
      state: 'open',
      inProgressTimeoutMinutes: wish.inProgressTimeoutMinutes,
      createdAt,
      createdBy,
    };
    const { product, version } = release;
    const details = { releaseId, product, version, target: targetWords(wish.target) };
    return [
      rollouts.inserting(rollout),
      jobs.inserting(job),
      outbox.event({ tenant, name: 'rollout.started', subject: rolloutId, data: { releaseId } }),
      audit.entry({ tenant, actor: createdBy, action: 'rollout.started', subject: rolloutId, details }),
    ];
  }

  /** Each batch names the revision it was decided on, so a cancellation in between stops the rest. */
  async #queue(from: RolloutRecord): Promise<void> {
    const { executions, jobs, outbox, rollouts, store, clock } = this.#ports;
    const { tenant, rolloutId, releaseId, target } = from;
    const { release, product } = await this.#releaseOf(tenant, releaseId);
    let rollout = from;
    while (rollout.state === 'running' && !rollout.queueing.done) {
      const page = await planPage(this.#ports, { tenant, target, release, product }, rollout.queueing.after);
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
        if (!HoldfastError.is(error, 'store.conflict')) throw error;
      }
      rollout = await this.show(tenant, rolloutId);
    }
    await this.#ports.writer.completeRollout(tenant, rolloutId);
  }

  async #stop(
    principal: Actor,
    rolloutId: string,
    how: { readonly state: 'cancelled' | 'halted'; readonly reason: string },
  ): Promise<RolloutRecord> {
    const { tenant } = principal;
    const { audit, jobs, outbox, rollouts, store } = this.#ports;
    await retryConflict(async () => {
      const rollout = await this.show(tenant, rolloutId);
      if (rollout.state !== 'running') throw new HoldfastError('update.rollout_ended', { rollout: rolloutId });
      const { releaseId } = rollout;
      const details = { releaseId, reason: how.reason };
      await store.commit([
        rollouts.changing(rollout, { state: how.state }),
        jobs.cancelling(tenant, rolloutId),
        outbox.event({ tenant, name: 'rollout.cancelled', subject: rolloutId, data: details }),
        audit.entry({ tenant, actor: actorOf(principal), action: `rollout.${how.state}`, subject: rolloutId, details }),
      ]);
    });
    await this.#endOpen(tenant, rolloutId, { actor: actorOf(principal), reason: how.reason });
    return this.show(tenant, rolloutId);
  }

  async #endOpen(
    tenant: Tenant,
    jobId: string,
    wish: { readonly actor: string; readonly reason: string },
  ): Promise<void> {
    const { executions, writer } = this.#ports;
    for (;;) {
      const open = await executions.openOfJob(tenant, jobId, CANCEL_BATCH);
      if (open.length === 0) return;
      for (const execution of open) {
        try {
          await writer.step(execution, 'cancel', wish);
        } catch (error) {
          // The device ended or moved it first; the next round sees how it stands.
          if (!HoldfastError.is(error, 'store.conflict')) throw error;
        }
      }
    }
  }
}

function targetWords(target: RolloutTarget): string {
  return target.kind === 'group' ? `group ${target.group}` : `${target.deviceIds.length} devices`;
}
