import { HoldfastError } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  MEASUREMENT_NEW,
  MEASUREMENT_OLD,
  OPERATOR,
  openUpdateWorld,
  type UpdateWorld,
} from '../../../server/src/testing/update-world.ts';
import type { DevicePrincipal } from '../principal.ts';

let world: UpdateWorld;
let lamp: DevicePrincipal;

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct();
  lamp = await world.addDevice('lamp-1');
});
afterEach(() => world.opened.close());

const coded = (code: string) => expect.objectContaining({ code }) as unknown;

async function queue(...jobIds: readonly string[]): Promise<void> {
  for (const jobId of jobIds) {
    world.clock.advance(1000);
    const wish = { jobId, deviceIds: ['lamp-1'], document: { operation: jobId }, inProgressTimeoutMinutes: 10 };
    await world.control.create(OPERATOR, wish);
  }
}

async function firmware(releaseId = 'r1'): Promise<string> {
  await world.addRelease(releaseId);
  const wish = { releaseId, target: { kind: 'group', group: 'all' }, inProgressTimeoutMinutes: 60 } as const;
  return (await world.rollouts.create(OPERATOR, wish)).rolloutId;
}

const show = async (jobId: string, deviceId = 'lamp-1') =>
  world.repositories.executions.find('default', deviceId, jobId);

describe('jobs of a device', () => {
  it('are started in the order they were queued, and the started one stays first', async () => {
    await queue('a', 'b');
    expect(await world.jobs.startNext(lamp, {})).toMatchObject({
      execution: { jobId: 'a', status: 'IN_PROGRESS', versionNumber: 2 },
      document: { operation: 'a' },
    });
    expect(await world.jobs.startNext(lamp, {})).toMatchObject({ execution: { jobId: 'a', versionNumber: 2 } });
    await world.jobs.update(lamp, 'a', { status: 'SUCCEEDED' });
    expect(await world.jobs.describeNext(lamp)).toMatchObject({ execution: { jobId: 'b', status: 'QUEUED' } });
  });

  it('has no next one when nothing is pending', async () => {
    expect(await world.jobs.startNext(lamp, {})).toBeUndefined();
    expect(await world.jobs.describeNext(lamp)).toBeUndefined();
  });

  it('keeps the details of a running job at a second start-next and moves its step timer only', async () => {
    await queue('a');
    await world.jobs.startNext(lamp, { statusDetails: { step: '1' } });
    await world.jobs.startNext(lamp, { statusDetails: { step: '2' }, stepTimeoutMinutes: 5 });
    expect(await show('a')).toMatchObject({ statusDetails: { step: '1' }, versionNumber: 3 });
    expect((await show('a'))?.stepDeadlineAt).toBe(world.clock.now() + 300_000);
  });

  it('replaces details when given and keeps them otherwise', async () => {
    await queue('a');
    await world.jobs.update(lamp, 'a', { status: 'IN_PROGRESS', statusDetails: { x: '1', y: '2' } });
    await world.jobs.update(lamp, 'a', { status: 'IN_PROGRESS' });
    expect((await show('a'))?.statusDetails).toEqual({ x: '1', y: '2' });
    await world.jobs.update(lamp, 'a', { status: 'IN_PROGRESS', statusDetails: { z: '3' } });
    expect((await show('a'))?.statusDetails).toEqual({ z: '3' });
  });

  it('refuses an update made for another version, with the state as it is', async () => {
    await queue('a');
    const outcome = await world.jobs.update(lamp, 'a', { status: 'IN_PROGRESS', expectedVersion: 2 });
    expect(outcome).toMatchObject({
      kind: 'refused',
      code: 'update.version_mismatch',
      execution: { versionNumber: 1 },
    });
    expect(await world.jobs.update(lamp, 'a', { status: 'IN_PROGRESS', expectedVersion: 1 })).toMatchObject({
      kind: 'updated',
      execution: { versionNumber: 2 },
    });
  });

  it('lets exactly one of two updates of one version through', async () => {
    await queue('a');
    const wish = { status: 'IN_PROGRESS', expectedVersion: 1 } as const;
    const outcomes = await Promise.all([world.jobs.update(lamp, 'a', wish), world.jobs.update(lamp, 'a', wish)]);
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['refused', 'updated']);
  });

  it.each(['SUCCEEDED', 'FAILED', 'REJECTED'] as const)('never leaves %s', async (status) => {
    await queue('a');
    await world.jobs.update(lamp, 'a', { status });
    for (const next of ['IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED'] as const) {
      expect(await world.jobs.update(lamp, 'a', { status: next })).toMatchObject({
        kind: 'refused',
        code: 'update.invalid_transition',
        execution: { status },
      });
    }
    await expect(world.jobs.describe(lamp, 'a')).rejects.toEqual(coded('update.execution_ended'));
  });

  it('are unknown under another number, another id, and to another device at every verb', async () => {
    await queue('a');
    const other = await world.addDevice('lamp-2');
    await expect(world.jobs.describe(lamp, 'a', 2)).rejects.toEqual(coded('update.unknown_job'));
    await expect(world.jobs.describe(lamp, 'zzz')).rejects.toEqual(coded('update.unknown_job'));
    await expect(world.jobs.describe(other, 'a')).rejects.toEqual(coded('update.unknown_job'));
    await expect(world.jobs.update(other, 'a', { status: 'FAILED' })).rejects.toEqual(coded('update.unknown_job'));
    await expect(world.jobs.documentOf(other, 'a')).rejects.toEqual(coded('update.unknown_job'));
    expect(await world.jobs.pending(other)).toEqual([]);
    expect(await world.jobs.startNext(other, {})).toBeUndefined();
  });

  it('are not found by a device of another tenant with the same name', async () => {
    await queue('a');
    const twin: DevicePrincipal = { ...lamp, tenant: 'elsewhere' };
    await expect(world.jobs.describe(twin, 'a')).rejects.toEqual(coded('update.unknown_job'));
    expect(await world.jobs.pending(twin)).toEqual([]);
  });

  it('cannot be started once the job was cancelled', async () => {
    await queue('a', 'b');
    await world.control.cancel(OPERATOR, 'a');
    expect(await world.jobs.startNext(lamp, {})).toMatchObject({ execution: { jobId: 'b' } });
    expect(await show('a')).toMatchObject({ status: 'CANCELED', outcome: 'canceled' });
    await expect(world.control.cancel(OPERATOR, 'a')).rejects.toEqual(coded('update.job_ended'));
  });

  it('are updates alone for a device that has to prove itself, and wait for its rights', async () => {
    await queue('a');
    const rollout = await firmware();
    world.restricted.add('lamp-1');
    expect((await world.jobs.pending(lamp)).map(({ jobId }) => jobId)).toEqual([rollout]);
    await expect(world.jobs.describe(lamp, 'a')).rejects.toEqual(coded('update.unknown_job'));
    await expect(world.jobs.documentOf(lamp, 'a')).rejects.toEqual(coded('update.unknown_job'));
    for (const status of ['IN_PROGRESS', 'SUCCEEDED', 'REJECTED'] as const) {
      await expect(world.jobs.update(lamp, 'a', { status })).rejects.toEqual(coded('update.unknown_job'));
    }
    expect(await world.jobs.startNext(lamp, {})).toMatchObject({ execution: { jobId: rollout } });
    await world.jobs.update(lamp, rollout, { status: 'FAILED' });
    expect(await world.jobs.describeNext(lamp)).toBeUndefined();
    world.restricted.clear();
    expect(await world.jobs.startNext(lamp, {})).toMatchObject({ execution: { jobId: 'a' } });
  });

  it('are judged anew by whichever word asks for them first', async () => {
    const asks = [
      () => world.jobs.startNext(lamp, {}),
      (jobId: string) => world.jobs.describe(lamp, jobId),
      (jobId: string) => world.jobs.update(lamp, jobId, { status: 'IN_PROGRESS' }),
      (jobId: string) => world.jobs.update(lamp, jobId, { status: 'SUCCEEDED' }),
    ];
    for (const [at, ask] of asks.entries()) {
      await world.addRelease(`r${at}`, { version: `2.${at}.0` });
      const wish = { target: { kind: 'group', group: 'all' }, inProgressTimeoutMinutes: 60 } as const;
      const { rolloutId } = await world.rollouts.create(OPERATOR, { ...wish, releaseId: `r${at}` });
      await world.opened.store.commit([world.repositories.releases.cancelling('default', `r${at}`)]);
      await ask(rolloutId).catch(() => undefined);
      expect(await show(rolloutId)).toMatchObject({ status: 'CANCELED', reason: 'release-withdrawn' });
    }
  });

  it('tell the device about its list by events', async () => {
    await queue('a', 'b');
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, 'a', { status: 'SUCCEEDED' });
    const events = await world.opened.events.since(0, 100);
    expect(events.map(({ name, subject, data }) => [name, subject, data['listChanged'], data['nextChanged']])).toEqual([
      ['execution.queued', 'a', true, true],
      ['execution.queued', 'b', true, false],
      ['execution.changed', 'a', false, false],
      ['execution.changed', 'a', true, true],
    ]);
  });
});

describe('time limits', () => {
  it('end a job whose step takes too long, and count a new version', async () => {
    await queue('a');
    await world.jobs.startNext(lamp, { stepTimeoutMinutes: 2 });
    world.clock.advance(119_999);
    await world.deadlines.run();
    expect(await show('a')).toMatchObject({ status: 'IN_PROGRESS' });
    world.clock.advance(1);
    await world.deadlines.run();
    expect(await show('a')).toMatchObject({ status: 'TIMED_OUT', outcome: 'timed-out', versionNumber: 3 });
  });

  it('let an update move or cancel the step timer but not the other one', async () => {
    await queue('a');
    await world.jobs.startNext(lamp, { stepTimeoutMinutes: 2 });
    await world.jobs.update(lamp, 'a', { status: 'IN_PROGRESS', stepTimeoutMinutes: -1 });
    world.clock.advance(9 * 60_000);
    await world.deadlines.run();
    expect(await show('a')).toMatchObject({ status: 'IN_PROGRESS' });
    world.clock.advance(60_000);
    await world.deadlines.run();
    expect(await show('a')).toMatchObject({ status: 'TIMED_OUT' });
  });

  it('do not run while a job is queued', async () => {
    await queue('a');
    world.clock.advance(100 * 60_000);
    await world.deadlines.run();
    expect(await show('a')).toMatchObject({ status: 'QUEUED' });
  });

  it('end the others although one row, altered in the store, cannot be ended', async () => {
    await queue('a', 'b');
    const { executions } = world.repositories;
    const altered = await show('a');
    if (altered === undefined) throw new Error('no execution');
    await world.opened.store.commit([executions.changing(altered, { inProgressDeadlineAt: 0 })]);
    await world.jobs.update(lamp, 'b', { status: 'IN_PROGRESS' });
    world.clock.advance(10 * 60_000);
    await world.deadlines.run();
    expect(await show('a')).toMatchObject({ status: 'QUEUED' });
    expect(await show('b')).toMatchObject({ status: 'TIMED_OUT' });
  });

  it('are looked at every second between start and close', async () => {
    await queue('a');
    await world.jobs.startNext(lamp, { stepTimeoutMinutes: 1 });
    world.clock.advance(60_000);
    world.deadlines.start();
    expect(await show('a')).toMatchObject({ status: 'IN_PROGRESS' });
    world.clock.advance(1000);
    await world.deadlines.close();
    expect(await show('a')).toMatchObject({ status: 'TIMED_OUT' });
  });
});

describe('firmware and proof', () => {
  it('ends proven only on confirmed evidence of the release', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, job, { status: 'SUCCEEDED' });
    expect(await show(job)).toMatchObject({ status: 'IN_PROGRESS', awaitingProof: true, outcome: undefined });
    world.clock.advance(1000);
    await world.prove('lamp-1', { digest: MEASUREMENT_NEW, bootState: 'test' });
    expect(await show(job)).toMatchObject({ status: 'IN_PROGRESS' });
    await world.prove('lamp-1', { digest: MEASUREMENT_NEW, bootState: 'confirmed' });
    expect(await show(job)).toMatchObject({ status: 'SUCCEEDED', outcome: 'proven', awaitingProof: false });
    expect((await world.rollouts.show('default', job)).state).toBe('completed');
  });

  it('ends proven at the word when the evidence came first, and takes the word again', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.recordEvidence('lamp-1', { digest: MEASUREMENT_NEW });
    expect(await world.jobs.update(lamp, job, { status: 'SUCCEEDED' })).toMatchObject({ kind: 'updated' });
    expect(await show(job)).toMatchObject({ status: 'SUCCEEDED', outcome: 'proven' });
    const version = (await show(job))?.versionNumber;
    expect(await world.jobs.update(lamp, job, { status: 'SUCCEEDED' })).toMatchObject({ kind: 'updated' });
    expect((await show(job))?.versionNumber).toBe(version);
  });

  it('is shown rolled back when old firmware comes back after the trial, although the last word was IN_PROGRESS', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, job, { status: 'IN_PROGRESS', statusDetails: { receive: '5/5' } });
    world.clock.advance(1000);
    await world.prove('lamp-1', { digest: MEASUREMENT_NEW, bootState: 'test' });
    world.clock.advance(1000);
    await world.prove('lamp-1', { digest: MEASUREMENT_OLD, bootState: 'confirmed' });
    expect(await show(job)).toMatchObject({
      status: 'FAILED',
      outcome: 'rolled-back',
      statusDetails: { receive: '5/5' },
    });
    expect((await show(job))?.reason).toContain('other firmware');
  });

  it('is shown rolled back when the device said it resets and never came up with the new firmware', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, job, { status: 'IN_PROGRESS', statusDetails: { self_test: 'ready' } });
    world.clock.advance(1000);
    await world.prove('lamp-1', { digest: MEASUREMENT_OLD });
    expect(await show(job)).toMatchObject({ status: 'FAILED', outcome: 'rolled-back' });
  });

  it('is shown rolled back when the device says so itself, with its reason', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    const statusDetails = { code: 'device.rolled_back', reason: 'did not boot' };
    await world.jobs.update(lamp, job, { status: 'FAILED', statusDetails });
    expect(await show(job)).toMatchObject({
      status: 'FAILED',
      outcome: 'rolled-back',
      reason: 'device.rolled_back: did not boot',
    });
  });

  it('takes old evidence during the download for nothing', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    world.clock.advance(1000);
    await world.prove('lamp-1', { digest: MEASUREMENT_OLD });
    expect(await show(job)).toMatchObject({ status: 'IN_PROGRESS' });
  });

  it('catches a device that lies: SUCCEEDED, then evidence of the old firmware', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, job, { status: 'SUCCEEDED' });
    world.clock.advance(1000);
    await world.prove('lamp-1', { digest: MEASUREMENT_OLD });
    expect(await show(job)).toMatchObject({ status: 'FAILED', outcome: 'rolled-back' });
  });

  it('fails at its time limit when no proof comes', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, job, { status: 'SUCCEEDED' });
    world.clock.advance(60 * 60_000);
    await world.deadlines.run();
    expect(await show(job)).toMatchObject({ status: 'TIMED_OUT', outcome: 'timed-out' });
    expect((await show(job))?.reason).toContain('no proof');
  });

  it('leaves the version alone when the trial is only marked, so that expectedVersion still fits', async () => {
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.prove('lamp-1', { digest: MEASUREMENT_NEW, bootState: 'test' });
    const outcome = await world.jobs.update(lamp, job, { status: 'IN_PROGRESS', expectedVersion: 2 });
    expect(outcome.kind).toBe('updated');
  });

  it('is stored as reported where the product asks for no evidence', async () => {
    const { repositories, opened } = world;
    const product = await repositories.products.find('default', 'lamp');
    if (product === undefined) throw new Error('no product');
    await opened.store.commit([repositories.products.changing(product, { evidence: 'none' })]);
    const job = await firmware();
    await world.jobs.startNext(lamp, {});
    await world.jobs.update(lamp, job, { status: 'SUCCEEDED' });
    expect(await show(job)).toMatchObject({ status: 'SUCCEEDED', outcome: 'reported' });
  });

  it('ends a job that is not firmware on the word of the device', async () => {
    await queue('reboot');
    await world.jobs.update(lamp, 'reboot', { status: 'SUCCEEDED' });
    expect(await show('reboot')).toMatchObject({ status: 'SUCCEEDED', outcome: 'reported' });
  });
});

describe('what a device may start is judged when it asks', () => {
  it('proves an execution of firmware that it already runs', async () => {
    const job = await firmware();
    await world.recordEvidence('lamp-1', { digest: MEASUREMENT_NEW });
    expect(await world.jobs.startNext(lamp, {})).toBeUndefined();
    expect(await show(job)).toMatchObject({ status: 'SUCCEEDED', outcome: 'proven' });
  });

  it('cancels one whose counter the device has left behind', async () => {
    const job = await firmware();
    await world.recordEvidence('lamp-1', { digest: 'cc'.repeat(32), counter: 3 });
    expect(await world.jobs.describeNext(lamp)).toBeUndefined();
    expect(await show(job)).toMatchObject({ status: 'CANCELED', reason: 'counter-above' });
  });

  it('cancels one below a floor that was raised meanwhile, also at a direct update', async () => {
    const job = await firmware();
    const { repositories, opened } = world;
    const product = await repositories.products.find('default', 'lamp');
    if (product === undefined) throw new Error('no product');
    await opened.store.commit([repositories.products.changing(product, { minimumCounter: 3 })]);
    expect(await world.jobs.update(lamp, job, { status: 'IN_PROGRESS' })).toMatchObject({
      kind: 'refused',
      code: 'update.invalid_transition',
      execution: { status: 'CANCELED', reason: 'release-below-floor' },
    });
  });

  it.each(['start-next', 'describe next', 'describe'] as const)(
    'gives out no document whose manifest does not hold, by %s, and says so in the log',
    async (verb) => {
      const job = await firmware();
      world.refusedManifests.add('{"of":"r1"}');
      if (verb === 'describe') {
        await expect(world.jobs.describe(lamp, job)).rejects.toEqual(coded('update.execution_ended'));
      } else {
        const answer = verb === 'start-next' ? world.jobs.startNext(lamp, {}) : world.jobs.describeNext(lamp);
        expect(await answer).toBeUndefined();
      }
      expect(await show(job)).toMatchObject({ status: 'FAILED', outcome: 'failed', reason: 'update.manifest_refused' });
      expect(await world.jobs.documentOf(lamp, job)).toBeUndefined();
    },
  );

  it.each<[string, (text: string) => string]>([
    ['another size', (text) => text.replaceAll('20000', '20001')],
    ['another stream', (text) => text.replaceAll('fw-r1', 'fw-r2')],
    ['no manifest', (text) => text.replace('"manifest"', '"manifesto"')],
    ['a doubled member', (text) => text.replace('{', '{"operation":"firmware",')],
    ['no JSON', () => '{'],
    ['no object', () => '[]'],
  ])('refuses a stored document with %s', async (_title, change) => {
    const job = await firmware();
    const { jobs } = world.repositories;
    const row = await jobs.find('default', job);
    if (row === undefined) throw new Error('no job');
    jobs.find = () => Promise.resolve({ ...row, document: change(row.document) });
    expect(await world.jobs.startNext(lamp, {})).toBeUndefined();
    expect(await show(job)).toMatchObject({ status: 'FAILED', reason: 'update.manifest_refused' });
  });
});

it('throws coded errors alone', async () => {
  const error: unknown = await world.jobs.describe(lamp, 'none').catch((caught: unknown) => caught);
  expect(HoldfastError.is(error, 'update.unknown_job')).toBe(true);
});
