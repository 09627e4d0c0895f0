import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@holdfast/kernel';
import type { ExecutionRecord, JobRecord, ReleaseRecord, RolloutRecord } from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../index.ts';
import { updateRepositories } from './update.ts';

let folder: string;
let clock: ManualClock;
let opened: OpenStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-update-'));
  clock = new ManualClock();
  opened = await openStore({ location: join(folder, 'records.db'), clock });
});
afterEach(async () => {
  await opened.close();
  rmSync(folder, { recursive: true });
});

async function reopen(): Promise<void> {
  await opened.close();
  opened = await openStore({ location: join(folder, 'records.db'), clock });
}

const repositories = () => updateRepositories(opened.reader);
const conflict = expect.objectContaining({ code: 'store.conflict' }) as unknown;

const execution: ExecutionRecord = {
  tenant: 'default',
  deviceId: 'lamp',
  jobId: 'j1',
  executionNumber: 1,
  releaseId: 'r1',
  status: 'QUEUED',
  awaitingProof: false,
  outcome: undefined,
  reason: undefined,
  statusDetails: {},
  versionNumber: 1,
  queuedAt: 5,
  startedAt: undefined,
  lastUpdatedAt: 5,
  stepDeadlineAt: undefined,
  inProgressDeadlineAt: undefined,
  triedAt: undefined,
  revision: 0,
};

const release: ReleaseRecord = {
  tenant: 'default',
  releaseId: 'r1',
  product: 'lamp',
  hardwareRevision: 'rev-a',
  version: '1.0.0',
  counter: 4,
  sequence: 1,
  state: 'published',
  artifactId: 'a1',
  imageSha256: 'aa',
  imageLength: 10,
  measurement: 'bb',
  streamId: 'fw-r1',
  manifest: '{}',
  signatures: 1,
  threshold: 1,
  fileSignature: 'AA==',
  createdAt: 1,
  createdBy: 'system',
};

const rollout: RolloutRecord = {
  tenant: 'default',
  rolloutId: 'ro-1',
  releaseId: 'r1',
  product: 'lamp',
  version: '1.0.0',
  target: { kind: 'devices', deviceIds: ['lamp'] },
  state: 'running',
  queueing: { done: false, after: 'k' },
  createdAt: 1,
  createdBy: 'system',
  revision: 0,
};

const job: JobRecord = {
  tenant: 'default',
  jobId: 'j1',
  releaseId: undefined,
  document: '{"operation":"x"}',
  state: 'open',
  inProgressTimeoutMinutes: 3,
  createdAt: 1,
  createdBy: 'system',
};

describe('the records of the update room on disk', () => {
  it('are what was written, after a restart too', async () => {
    const { executions, jobs, releases, rollouts, releaseRoots } = repositories();
    const root = { tenant: 'default', version: 1, document: '{}', localKeyIds: ['k'], createdAt: 1 };
    const full: ExecutionRecord = {
      ...execution,
      status: 'IN_PROGRESS',
      awaitingProof: true,
      reason: 'r',
      statusDetails: { self_test: 'ready', updatedBy: '0x00090002' },
      startedAt: 6,
      stepDeadlineAt: 7,
      inProgressDeadlineAt: 8,
      triedAt: 9,
    };
    await opened.store.commit([
      executions.inserting(full),
      jobs.inserting(job),
      releases.inserting(release),
      rollouts.inserting(rollout),
      releaseRoots.inserting(root),
    ]);
    await reopen();
    const again = repositories();
    expect(await again.executions.find('default', 'lamp', 'j1')).toEqual(full);
    expect(await again.jobs.find('default', 'j1')).toEqual(job);
    expect(await again.releases.find('default', 'r1')).toEqual(release);
    expect(await again.releases.findByVersion('default', 'lamp', 'rev-a', '1.0.0')).toEqual(release);
    expect(await again.releases.ofArtifact('a1')).toEqual([release]);
    expect(await again.rollouts.find('default', 'ro-1')).toEqual(rollout);
    expect(await again.rollouts.listRunning()).toEqual([rollout]);
    expect(await again.releaseRoots.newest('default')).toEqual(root);
  });

  it('change only from the revision that was read', async () => {
    const { executions, rollouts } = repositories();
    await opened.store.commit([executions.inserting(execution), rollouts.inserting(rollout)]);
    const start = () => opened.store.commit([executions.changing(execution, { status: 'IN_PROGRESS' })]);
    const outcomes = await Promise.allSettled([start(), start(), start()]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const stop = () => opened.store.commit([rollouts.changing(rollout, { state: 'cancelled' })]);
    await stop();
    await expect(stop()).rejects.toEqual(conflict);
  });

  it('hold each id, version and sequence once', async () => {
    const { executions, jobs, releases } = repositories();
    await opened.store.commit([executions.inserting(execution), jobs.inserting(job), releases.inserting(release)]);
    for (const write of [
      executions.inserting(execution),
      jobs.inserting(job),
      releases.inserting({ ...release, releaseId: 'r2', sequence: 2 }),
      releases.inserting({ ...release, releaseId: 'r2', version: '2.0.0' }),
    ]) {
      await expect(opened.store.commit([write])).rejects.toEqual(conflict);
    }
    await opened.store.commit([releases.inserting({ ...release, tenant: 'elsewhere' })]);
  });

  it('guard what a cancelled job may no longer do', async () => {
    const { jobs, executions } = repositories();
    await opened.store.commit([jobs.inserting(job), executions.inserting(execution)]);
    await opened.store.commit([jobs.requiringOpen('default', 'j1')]);
    await opened.store.commit([jobs.cancelling('default', 'j1')]);
    await expect(opened.store.commit([jobs.requiringOpen('default', 'j1')])).rejects.toEqual(conflict);
    expect(await jobs.listHalfCancelled()).toEqual([{ ...job, state: 'cancelled' }]);
    await opened.store.commit([executions.changing(execution, { status: 'CANCELED' })]);
    expect(await jobs.listHalfCancelled()).toEqual([]);
  });

  it('are found by deadline, the earlier of two, and only while they run', async () => {
    const { executions } = repositories();
    const running = { ...execution, status: 'IN_PROGRESS', stepDeadlineAt: 20, inProgressDeadlineAt: 10 } as const;
    await opened.store.commit([
      executions.inserting(running),
      executions.inserting({ ...execution, deviceId: 'b', status: 'IN_PROGRESS', stepDeadlineAt: 5 }),
      executions.inserting({ ...execution, deviceId: 'c' }),
    ]);
    const due = async (now: number) => (await executions.due(now, 10)).map(({ deviceId }) => deviceId);
    expect(await due(4)).toEqual([]);
    expect(await due(9)).toEqual(['b']);
    expect(await due(10)).toEqual(['b', 'lamp']);
    const ended = { stepDeadlineAt: undefined, inProgressDeadlineAt: undefined };
    await opened.store.commit([executions.changing(running, { ...ended, status: 'SUCCEEDED', outcome: 'proven' })]);
    expect(await due(99)).toEqual(['b']);
  });

  it('come in the order of the next job, and page by page newest first', async () => {
    const { executions } = repositories();
    await opened.store.commit([
      executions.inserting({ ...execution, jobId: 'late', queuedAt: 9 }),
      executions.inserting({ ...execution, jobId: 'early', queuedAt: 1 }),
      executions.inserting({ ...execution, jobId: 'begun', queuedAt: 20, status: 'IN_PROGRESS' }),
      executions.inserting({ ...execution, jobId: 'over', queuedAt: 30, status: 'FAILED', outcome: 'failed' }),
    ]);
    const pending = await executions.pendingOf('default', 'lamp');
    expect(pending.map(({ jobId }) => jobId)).toEqual(['begun', 'early', 'late']);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await executions.listOfDevice('default', 'lamp', { limit: 1, after });
      seen.push(...page.rows.map(({ jobId }) => jobId));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(['over', 'begun', 'late', 'early']);
  });

  it('are counted by status and outcome', async () => {
    const { executions } = repositories();
    const ended = { status: 'SUCCEEDED', outcome: 'proven' } as const;
    await opened.store.commit([
      executions.inserting(execution),
      executions.inserting({ ...execution, deviceId: 'b', ...ended }),
      executions.inserting({ ...execution, deviceId: 'c', ...ended, outcome: 'reported' }),
    ]);
    expect(await executions.countOfJob('default', 'j1')).toEqual({
      statuses: { QUEUED: 1, SUCCEEDED: 2 },
      outcomes: { proven: 1, reported: 1 },
    });
    expect((await executions.listOfJob('default', 'j1', { limit: 2 })).next).toBe('c');
    expect(await executions.openOfJob('default', 'j1', 10)).toHaveLength(1);
  });

  it('are refused a position no listing gave', async () => {
    const attempt = repositories().rollouts.list('default', { limit: 1, after: 'x' });
    await expect(attempt).rejects.toEqual(expect.objectContaining({ code: 'wire.malformed' }));
  });
});
