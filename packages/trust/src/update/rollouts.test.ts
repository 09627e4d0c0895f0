import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  MEASUREMENT_NEW,
  OPERATOR,
  openUpdateWorld,
  type UpdateWorld,
} from '../../../server/src/testing/update-world.ts';
import type { RolloutTarget } from '../ports/index.ts';

let world: UpdateWorld;

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct();
  await world.addRelease('r1');
});
afterEach(() => world.opened.close());

const coded = (code: string) => expect.objectContaining({ code }) as unknown;
const everyone: RolloutTarget = { kind: 'group', group: 'all' };
const start = (target: RolloutTarget = everyone, releaseId = 'r1') =>
  world.rollouts.create(OPERATOR, { releaseId, target, inProgressTimeoutMinutes: 60 });
const statuses = async (rolloutId: string) =>
  Object.fromEntries(
    (await world.rollouts.executions('default', rolloutId, { limit: 1000 })).rows.map((e) => [e.deviceId, e.status]),
  );

describe('a rollout', () => {
  it('plans who receives it and who does not, with the reason', async () => {
    await world.addDevice('a');
    await world.addDevice('b', { state: 'revoked' });
    await world.addDevice('c', { state: 'suspended' });
    await world.addDevice('d', { product: 'lock' });
    await world.addDevice('e', { hardwareRevision: 'rev-b' });
    await world.addDevice('f');
    await world.recordEvidence('f', { digest: MEASUREMENT_NEW });
    await world.addDevice('g');
    await world.recordEvidence('g', { counter: 9 });
    const plan = await world.rollouts.plan('default', { releaseId: 'r1', target: everyone });
    expect(plan.targets).toEqual(['a']);
    expect(plan.excluded.map(({ deviceId, code }) => [deviceId, code])).toEqual([
      ['b', 'revoked'],
      ['c', 'suspended'],
      ['d', 'other-product'],
      ['e', 'other-hardware'],
      ['f', 'already-installed'],
      ['g', 'counter-above'],
    ]);
    const named = { kind: 'devices', deviceIds: ['zz', 'a', 'a'] } as const;
    expect(await world.rollouts.plan('default', { releaseId: 'r1', target: named })).toMatchObject({
      targets: ['a'],
      excluded: [{ deviceId: 'zz', code: 'unknown-device' }],
    });
  });

  it('does not start when the rehearsal of its release refused it', async () => {
    await world.addDevice('a');
    world.unrehearsed.add('r1');
    await expect(start()).rejects.toEqual(coded('boot.rehearsal_refused'));
    expect((await world.rollouts.list('default', { limit: 10 })).rows).toEqual([]);
  });

  it('queues its targets alone and tells each of them', async () => {
    await world.addDevice('a');
    await world.addDevice('b', { state: 'revoked' });
    const { rolloutId, state, queueing } = await start();
    expect({ state, queueing }).toEqual({ state: 'running', queueing: { done: true, after: undefined } });
    expect(await statuses(rolloutId)).toEqual({ a: 'QUEUED' });
    const events = await world.opened.events.since(0, 10);
    expect(events.map(({ name }) => name)).toEqual(['rollout.started', 'execution.queued']);
  });

  it('queues more devices than one batch holds', async () => {
    const { devices } = world.repositories;
    const model = await world.addDevice('m');
    const record = await devices.find('default', model.deviceId);
    if (record === undefined) throw new Error('no device');
    const names = Array.from({ length: 1100 }, (_, at) => `n${String(at).padStart(4, '0')}`);
    await world.opened.store.commit(
      names.flatMap((deviceId) => [
        devices.inserting({ ...record, deviceId, serialNumber: deviceId }),
        devices.joining('default', deviceId, 'all'),
      ]),
    );
    const { rolloutId } = await start();
    expect((await world.rollouts.counts('default', rolloutId)).statuses).toEqual({ QUEUED: 1101 });
    const listed = await start({ kind: 'devices', deviceIds: names });
    expect((await world.rollouts.counts('default', listed.rolloutId)).statuses).toEqual({ QUEUED: 1100 });
  });

  it('refuses a release that is withdrawn, unknown, below the floor or for nobody', async () => {
    await expect(start()).rejects.toEqual(coded('update.no_targets'));
    await world.addDevice('a');
    await expect(start(everyone, 'r9')).rejects.toEqual(coded('update.unknown_release'));
    await world.addRelease('r2', { version: '2.1.0', state: 'cancelled' });
    await expect(start(everyone, 'r2')).rejects.toEqual(coded('update.release_cancelled'));
    await world.addRelease('r3', { version: '2.2.0', counter: 0 });
    const product = await world.repositories.products.find('default', 'lamp');
    if (product === undefined) throw new Error('no product');
    await world.opened.store.commit([world.repositories.products.changing(product, { minimumCounter: 1 })]);
    await expect(start(everyone, 'r3')).rejects.toEqual(coded('update.counter_below_floor'));
    expect((await world.rollouts.list('default', { limit: 10 })).rows).toEqual([]);
  });

  it('ends every open execution when cancelled, and none starts afterwards', async () => {
    const a = await world.addDevice('a');
    const b = await world.addDevice('b');
    const { rolloutId } = await start();
    await world.jobs.startNext(a, {});
    expect((await world.rollouts.cancel(OPERATOR, rolloutId)).state).toBe('cancelled');
    expect(await statuses(rolloutId)).toEqual({ a: 'CANCELED', b: 'CANCELED' });
    expect(await world.jobs.startNext(b, {})).toBeUndefined();
    await expect(world.rollouts.cancel(OPERATOR, rolloutId)).rejects.toEqual(coded('update.rollout_ended'));
  });

  it('lets no execution start between its cancellation and the end of the queued ones', async () => {
    const a = await world.addDevice('a');
    const { rolloutId } = await start();
    const { jobs } = world.repositories;
    await world.opened.store.commit([jobs.cancelling('default', rolloutId)]);
    expect(await world.jobs.startNext(a, {})).toBeUndefined();
    expect(await statuses(rolloutId)).toEqual({ a: 'CANCELED' });
  });

  it('completes when the last execution ends, however it ends', async () => {
    const a = await world.addDevice('a');
    const b = await world.addDevice('b');
    const { rolloutId } = await start();
    await world.jobs.update(a, rolloutId, { status: 'REJECTED' });
    expect((await world.rollouts.show('default', rolloutId)).state).toBe('running');
    await world.jobs.update(b, rolloutId, { status: 'FAILED', statusDetails: { reason: 'no space' } });
    expect((await world.rollouts.show('default', rolloutId)).state).toBe('completed');
    expect(await world.rollouts.counts('default', rolloutId)).toEqual({
      statuses: { REJECTED: 1, FAILED: 1 },
      outcomes: { rejected: 1, failed: 1 },
    });
  });

  it('halts when its stored image is damaged', async () => {
    await world.addDevice('a');
    const { rolloutId } = await start();
    await world.rollouts.artifactCorrupt('artifact-r1');
    expect((await world.rollouts.show('default', rolloutId)).state).toBe('halted');
    expect(await statuses(rolloutId)).toEqual({ a: 'CANCELED' });
  });

  it('stops when its release is withdrawn', async () => {
    await world.addDevice('a');
    const { rolloutId } = await start();
    await world.rollouts.releaseCancelled('default', 'r1');
    expect((await world.rollouts.show('default', rolloutId)).state).toBe('cancelled');
  });

  it('goes on queueing after a stop of the process', async () => {
    await world.addDevice('a');
    await world.addDevice('b');
    const { rolloutId } = await start({ kind: 'devices', deviceIds: ['a'] });
    const { rollouts } = world.repositories;
    const rollout = await rollouts.find('default', rolloutId);
    if (rollout === undefined) throw new Error('no rollout');
    const stopped = { ...rollout, rolloutId: 'ro-stopped', target: everyone, queueing: { done: false, after: 'a' } };
    const job = await world.repositories.jobs.find('default', rolloutId);
    if (job === undefined) throw new Error('no job');
    await world.opened.store.commit([
      rollouts.inserting(stopped),
      world.repositories.jobs.inserting({ ...job, jobId: 'ro-stopped' }),
    ]);
    await world.rollouts.resume();
    expect(await statuses('ro-stopped')).toEqual({ b: 'QUEUED' });
  });

  it('goes on cancelling after a stop of the process', async () => {
    const a = await world.addDevice('a');
    const { rolloutId } = await start();
    await world.jobs.startNext(a, {});
    await world.opened.store.commit([world.repositories.jobs.cancelling('default', rolloutId)]);
    await world.rollouts.resume();
    expect(await statuses(rolloutId)).toEqual({ a: 'CANCELED' });
    expect(await world.repositories.jobs.listHalfCancelled()).toEqual([]);
  });

  it('goes on with the others when one cannot be resumed', async () => {
    await world.addDevice('a');
    const { rolloutId } = await start();
    const { rollouts, jobs } = world.repositories;
    const rollout = await rollouts.find('default', rolloutId);
    if (rollout === undefined) throw new Error('no rollout');
    const orphan = { ...rollout, rolloutId: 'ro-0', releaseId: 'gone', queueing: { done: false, after: undefined } };
    await world.opened.store.commit([rollouts.inserting(orphan), jobs.cancelling('default', rolloutId)]);
    await expect(world.rollouts.resume()).rejects.toEqual(coded('update.unknown_release'));
    expect(await statuses(rolloutId)).toEqual({ a: 'CANCELED' });
  });

  it('lists newest first, page by page', async () => {
    await world.addDevice('a');
    const ids: string[] = [];
    for (let at = 0; at < 3; at++) {
      ids.unshift((await start()).rolloutId);
      world.clock.advance(1);
    }
    const first = await world.rollouts.list('default', { limit: 2 });
    const second = await world.rollouts.list('default', { limit: 2, after: first.next });
    expect([...first.rows, ...second.rows].map(({ rolloutId }) => rolloutId)).toEqual(ids);
    expect(second.next).toBeUndefined();
  });
});

describe('a revoked device', () => {
  it('loses every open execution', async () => {
    const a = await world.addDevice('a');
    await world.addDevice('b');
    const { rolloutId } = await start();
    await world.jobs.startNext(a, {});
    await world.control.cancelAllOf('default', 'a', 'device.revoked');
    expect(await statuses(rolloutId)).toEqual({ a: 'CANCELED', b: 'QUEUED' });
  });
});

describe('a job that is not firmware', () => {
  const wish = { jobId: 'j', deviceIds: ['a'], document: { operation: 'x' }, inProgressTimeoutMinutes: undefined };

  it('is refused for a taken id, a bad id, a document too long, and for nobody', async () => {
    await expect(world.control.create(OPERATOR, wish)).rejects.toEqual(coded('update.no_targets'));
    await world.addDevice('a');
    await world.control.create(OPERATOR, wish);
    await expect(world.control.create(OPERATOR, wish)).rejects.toEqual(coded('update.job_exists'));
    for (const change of [
      { jobId: 'a b' },
      { jobId: 'k', document: { x: 'y'.repeat(33_000) } },
      { jobId: 'k', document: ['x'] },
      { jobId: 'k', inProgressTimeoutMinutes: 0 },
    ]) {
      await expect(world.control.create(OPERATOR, { ...wish, ...change })).rejects.toEqual(
        coded('update.bad_document'),
      );
    }
  });

  it('is cancelled with all its executions', async () => {
    const a = await world.addDevice('a');
    await world.addDevice('b');
    await world.control.create(OPERATOR, { ...wish, deviceIds: ['a', 'b'] });
    await world.jobs.update(a, 'j', { status: 'SUCCEEDED' });
    expect(await world.control.cancel(OPERATOR, 'j')).toEqual({ cancelled: 1 });
    await expect(world.control.cancel(OPERATOR, 'unknown')).rejects.toEqual(coded('update.unknown_job'));
  });

  it('leaves a rollout to be cancelled as a rollout', async () => {
    await world.addDevice('a');
    const { rolloutId } = await start();
    await expect(world.control.cancel(OPERATOR, rolloutId)).rejects.toEqual(coded('update.job_ended'));
  });
});
