import { createLog, decodeUtf8, type LogRecord } from '@holdfast/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OPERATOR, openUpdateWorld, type UpdateWorld } from '../../testing/update-world.ts';
import { JobNotifier } from './index.ts';

let world: UpdateWorld;
let sent: { topic: string; body: unknown }[];
let warnings: LogRecord[];
let connected: boolean;
let notifier: JobNotifier;
let heard: number;

beforeEach(async () => {
  world = await openUpdateWorld();
  sent = [];
  warnings = [];
  connected = true;
  heard = 0;
  await world.addProduct();
  await world.addDevice('lamp');
  notifier = new JobNotifier({
    clock: world.clock,
    log: createLog((record) => warnings.push(record)),
    jobs: world.jobs,
    publisher: {
      isConnected: () => connected,
      publish: (_tenant, topic, payload) => {
        sent.push({ topic, body: JSON.parse(decodeUtf8(payload)) });
        return Promise.resolve();
      },
    },
  });
});
afterEach(() => world.opened.close());

/** Hands over what was committed since, and says what the device was told: short topics and job ids. */
async function told(): Promise<readonly string[]> {
  const events = await world.opened.events.since(heard, 100);
  heard = events.at(-1)?.sequence ?? heard;
  sent = [];
  for (const event of events) await notifier.onEvent(event);
  return sent.map(({ topic, body }) => `${topic.split('/').at(-1) ?? ''} ${jobsIn(body)}`);
}

function jobsIn(body: unknown): string {
  return (JSON.stringify(body).match(/"jobId":"[^"]+"/g) ?? []).map((each) => each.slice(9, -1)).join(' ');
}

async function queue(jobId: string): Promise<void> {
  world.clock.advance(1000);
  const wish = { jobId, deviceIds: ['lamp'], document: { operation: jobId }, inProgressTimeoutMinutes: undefined };
  await world.control.create(OPERATOR, wish);
}

const lamp = { kind: 'device', tenant: 'default', deviceId: 'lamp', fingerprint: '00'.repeat(32) } as const;

describe('a device is told of its jobs', () => {
  it('as the AWS walk-through of three jobs has it', async () => {
    await queue('job1');
    expect(await told()).toEqual(['notify job1', 'notify-next job1']);
    await queue('job2');
    expect(await told()).toEqual(['notify job1 job2']);
    await world.jobs.startNext(lamp, {});
    expect(await told()).toEqual([]);
    await world.jobs.update(lamp, 'job1', { status: 'IN_PROGRESS', statusDetails: { self_test: 'ready' } });
    expect(await told()).toEqual([]);
    await world.jobs.update(lamp, 'job1', { status: 'SUCCEEDED' });
    expect(await told()).toEqual(['notify job2', 'notify-next job2']);
    await queue('job3');
    expect(await told()).toEqual(['notify job2 job3']);
    await world.control.cancel(OPERATOR, 'job2');
    expect(await told()).toEqual(['notify job3', 'notify-next job3']);
    await world.jobs.update(lamp, 'job3', { status: 'FAILED' });
    expect(await told()).toEqual(['notify ', 'notify-next ']);
  });

  it('with an empty list as jobs:{} and an empty queue without execution', async () => {
    await queue('job1');
    await world.jobs.update(lamp, 'job1', { status: 'SUCCEEDED' });
    await told();
    const timestamp = Math.floor(world.clock.now() / 1000);
    expect(sent.slice(-2)).toEqual([
      { topic: '$aws/things/lamp/jobs/notify', body: { jobs: {}, timestamp } },
      { topic: '$aws/things/lamp/jobs/notify-next', body: { timestamp } },
    ]);
  });

  it('when its rights come back, of what waited for them', async () => {
    world.restricted.add('lamp');
    await queue('job1');
    expect(await told()).toEqual(['notify ', 'notify-next ']);
    world.restricted.clear();
    const { store, outbox } = world.opened;
    const proven = outbox.event({ tenant: 'default', name: 'posture.changed', subject: 'lamp', data: {} });
    await store.commit([proven]);
    expect(await told()).toEqual(['notify job1', 'notify-next job1']);
    await world.jobs.update(lamp, 'job1', { status: 'SUCCEEDED' });
    await told();
    await store.commit([proven]);
    expect(await told()).toEqual([]);
  });

  it('with at most ten entries', async () => {
    for (let at = 0; at < 12; at++) await queue(`j${String(at).padStart(2, '0')}`);
    await told();
    expect(jobsIn(sent.at(-1)?.body).split(' ')).toHaveLength(10);
  });

  it('not at all when it is away, and nothing is read for it', async () => {
    connected = false;
    await queue('job1');
    world.repositories.executions.pendingOf = () => Promise.reject(new Error('read'));
    expect(await told()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('again when it asks, if telling failed', async () => {
    await queue('job1');
    world.repositories.executions.pendingOf = () => Promise.reject(new Error('down'));
    expect(await told()).toEqual([]);
    expect(warnings).toMatchObject([{ level: 'warn', fields: { deviceId: 'lamp', code: 'kernel.internal' } }]);
  });
});
