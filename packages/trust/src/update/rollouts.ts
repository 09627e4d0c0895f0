import { type Clock, encodeHex, HoldfastError, type Random, toHoldfastError } from '@holdfast/kernel';
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
import { cancelOpenExecutions } from './cancel-open.ts';
import type { ExecutionWriter } from './execution-writer.ts';
import { encodeJobDocument, firmwareDocument } from './job-documents.ts';
import { type PlannedDevice, type PlanWish, planPage } from './rollout-plan.ts';
import { RolloutQueue } from './rollout-queue.ts';
import { RolloutStop } from './rollout-stop.ts';

interface ReleaseApproval {
  /** @throws `boot.rehearsal_refused` and why a rehearsal came to no end */
  require(principal: Actor, release: ReleaseRecord): Promise<void>;
}

export interface RolloutsPorts extends Omit<UpdateRepositories, 'rehearsals'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly outbox: Outbox;
  readonly writer: ExecutionWriter;
  readonly devices: DeviceRepository;
  readonly postures: PostureRepository;
  readonly products: ProductRepository;
  /** What a release must pass before it goes to any device. */
  readonly rehearsals: ReleaseApproval;
  /** HTTPS address of a job's file on the device listener. */
  readonly artifactUrl: (jobId: string) => string;
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

/** Brings a release to devices. Executions are made in batches, each with the place where the making stands. */
export class Rollouts {
  readonly #ports: RolloutsPorts;
  readonly #queue: RolloutQueue;
  readonly #stop: RolloutStop;

  constructor(ports: RolloutsPorts) {
    this.#ports = ports;
    this.#queue = new RolloutQueue(ports);
    this.#stop = new RolloutStop(ports);
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
   * @throws `update.unknown_release`, `update.release_cancelled`, `update.counter_below_floor`, `update.no_targets`,
   * `boot.rehearsal_refused`, `boot.rehearsal_cancelled`, `boot.rehearsal_failed`
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
    await this.#ports.rehearsals.require(principal, release);
    const rollout = this.#newRollout(principal, release, wish.target);
    await this.#ports.store.commit(this.#creation(rollout, release, wish));
    await this.#queue.run(rollout, { release, product });
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
    return this.#stop.run(principal, rolloutId, { state: 'cancelled', reason: 'the rollout was cancelled' });
  }

  /** Stops what uses a file that no longer is what was signed. */
  async artifactCorrupt(artifactId: string): Promise<void> {
    for (const { tenant, releaseId } of await this.#ports.releases.ofArtifact(artifactId)) {
      const system: SystemPrincipal = { kind: 'system', tenant };
      for (const { rolloutId } of await this.#ports.rollouts.runningOfRelease(tenant, releaseId)) {
        await this.#stop.run(system, rolloutId, { state: 'halted', reason: 'the stored image is damaged' });
      }
    }
  }

  /** Stops every rollout of a release that was withdrawn. */
  async releaseCancelled(tenant: Tenant, releaseId: string): Promise<void> {
    for (const { rolloutId } of await this.#ports.rollouts.runningOfRelease(tenant, releaseId)) {
      await this.#stop.run({ kind: 'system', tenant }, rolloutId, {
        state: 'cancelled',
        reason: 'the release was withdrawn',
      });
    }
  }

  /**
   * Finishes what a stop of the process or a failure of the store interrupted: queueing, completion and cancellation.
   * Safe to repeat while rollouts are at work.
   *
   * @throws the first thing that failed, after everything else was tried
   */
  async resume(): Promise<void> {
    const { jobs, rollouts } = this.#ports;
    const halfCancelled = await jobs.listHalfCancelled();
    const running = await rollouts.listRunning();
    const outcomes = await Promise.allSettled([
      ...halfCancelled.map((job) =>
        cancelOpenExecutions(this.#ports, job, { actor: 'system', reason: 'update.job_ended' }),
      ),
      ...running.map((rollout) => this.#resumeOne(rollout)),
    ]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw toHoldfastError(failed.reason);
  }

  async #resumeOne(rollout: RolloutRecord): Promise<void> {
    if (rollout.queueing.done) await this.#ports.writer.completeRollout(rollout.tenant, rollout.rolloutId);
    else await this.#queue.run(rollout, await this.#releaseOf(rollout.tenant, rollout.releaseId));
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
    const { artifactUrl, audit, jobs, outbox, rollouts } = this.#ports;
    const { tenant, rolloutId, releaseId, createdAt, createdBy } = rollout;
    const job: JobRecord = {
      tenant,
      jobId: rolloutId,
      releaseId,
      document: encodeJobDocument(firmwareDocument(release, artifactUrl(rolloutId))),
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
}

function targetWords(target: RolloutTarget): string {
  return target.kind === 'group' ? `group ${target.group}` : `${target.deviceIds.length} devices`;
}
