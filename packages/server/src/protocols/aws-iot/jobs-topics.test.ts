import { decodeUtf8, encodeUtf8 } from '@holdfast/kernel';
import { JOBS_ERROR_CODES } from '@holdfast/wire/aws-iot';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceNamed, type FakeConnection, fakeConnection } from '../../testing/fake-connection.ts';
import { MEASUREMENT_NEW, OPERATOR, openUpdateWorld, type UpdateWorld } from '../../testing/update-world.ts';
import { AwsIotTopics } from './index.ts';

let world: UpdateWorld;
let topics: AwsIotTopics;
let lamp: FakeConnection;

const refuse = (): never => {
  throw new Error('not asked here');
};

beforeEach(async () => {
  world = await openUpdateWorld();
  await world.addProduct();
  await world.addDevice('lamp');
  await world.addDevice('other');
  lamp = fakeConnection('c1');
  topics = new AwsIotTopics({
    ratchet: { offer: async () => new Uint8Array(48), turn: async () => undefined },
    mustRenew: async () => false,
    clock: world.clock,
    enrollment: { createCertificate: refuse, registerThing: refuse, enrollDirect: refuse, renew: refuse },
    attestation: { challenge: refuse, appraise: refuse },
    jobs: world.jobs,
    streams: { describe: refuse, get: refuse } as never,
    shadows: { get: refuse, update: refuse, delete: refuse } as never,
    publisher: { publish: refuse },
    peerOf: ({ connectionId }) =>
      connectionId === 'gone'
        ? undefined
        : { principal: deviceNamed(connectionId === 'c2' ? 'other' : 'lamp'), remoteAddress: '::1' },
    renewRights: refuse,
    onHealth: refuse,
  });
});
afterEach(() => world.opened.close());

const P = '$aws/things/lamp/jobs';
const reached = new Set<unknown>();

async function ask(topic: string, body: string | object = '', connection = lamp) {
  const payload = encodeUtf8(typeof body === 'string' ? body : JSON.stringify(body));
  await topics.publish(connection.asker, topic, payload);
  const reply = connection.last();
  if (reply.topic.endsWith('/rejected')) reached.add(reply.body['code']);
  return reply;
}

async function queue(...jobIds: readonly string[]): Promise<void> {
  for (const jobId of jobIds) {
    const wish = { jobId, deviceIds: ['lamp'], document: { operation: jobId }, inProgressTimeoutMinutes: 10 };
    await world.control.create(OPERATOR, wish);
    world.clock.advance(1000);
  }
}

const seconds = () => Math.floor(world.clock.now() / 1000);

describe('the Jobs topics', () => {
  it('answer GetPendingJobExecutions', async () => {
    await queue('a', 'b');
    await ask(`${P}/a/update`, { status: 'IN_PROGRESS' });
    const reply = await ask(`${P}/get`, { clientToken: 'x' });
    expect(reply.topic).toBe(`${P}/get/accepted`);
    expect(reply.body).toEqual({
      inProgressJobs: [
        {
          jobId: 'a',
          queuedAt: seconds() - 2,
          startedAt: seconds(),
          lastUpdatedAt: seconds(),
          versionNumber: 2,
          executionNumber: 1,
        },
      ],
      queuedJobs: [
        { jobId: 'b', queuedAt: seconds() - 1, lastUpdatedAt: seconds() - 1, versionNumber: 1, executionNumber: 1 },
      ],
      timestamp: seconds(),
      clientToken: 'x',
    });
  });

  it('answer StartNextPendingJobExecution with a document that is an object, and without execution when empty', async () => {
    expect((await ask(`${P}/start-next`, '')).body).toEqual({ timestamp: seconds() });
    await queue('a');
    const reply = await ask(`${P}/start-next`, {
      statusDetails: { s: '1' },
      stepTimeoutInMinutes: 1,
      clientToken: 'y',
    });
    expect(reply).toEqual({
      topic: `${P}/start-next/accepted`,
      body: {
        execution: {
          jobId: 'a',
          thingName: 'lamp',
          status: 'IN_PROGRESS',
          statusDetails: { s: '1' },
          queuedAt: seconds() - 1,
          startedAt: seconds(),
          lastUpdatedAt: seconds(),
          versionNumber: 2,
          executionNumber: 1,
          jobDocument: { operation: 'a' },
          approximateSecondsBeforeTimedOut: 60,
        },
        timestamp: seconds(),
        clientToken: 'y',
      },
    });
  });

  it('answer DescribeJobExecution by id and for $next, with an empty payload and without the document', async () => {
    await queue('a');
    expect((await ask(`${P}/$next/get`)).body).toMatchObject({
      execution: { jobId: 'a', jobDocument: { operation: 'a' } },
    });
    const reply = await ask(`${P}/a/get`, { includeJobDocument: false });
    expect(reply.topic).toBe(`${P}/a/get/accepted`);
    expect(reply.body['execution']).not.toHaveProperty('jobDocument');
    expect(reply.body['execution']).not.toHaveProperty('statusDetails');
    await ask(`${P}/a/update`, { status: 'SUCCEEDED' });
    expect((await ask(`${P}/$next/get`)).body).toEqual({ timestamp: seconds() });
  });

  it('answer UpdateJobExecution, with state and document when asked for', async () => {
    await queue('a');
    expect((await ask(`${P}/a/update`, { status: 'IN_PROGRESS', clientToken: 'z' })).body).toEqual({
      timestamp: seconds(),
      clientToken: 'z',
    });
    const request = {
      status: 'IN_PROGRESS',
      expectedVersion: '2',
      includeJobExecutionState: true,
      includeJobDocument: true,
    };
    expect((await ask(`${P}/a/update`, { ...request, statusDetails: {} })).body).toEqual({
      executionState: { status: 'IN_PROGRESS', versionNumber: 3 },
      jobDocument: { operation: 'a' },
      timestamp: seconds(),
    });
  });

  it('take the exchange of the FreeRTOS OTA agent, and keep its details between boots', async () => {
    await world.addRelease('r1');
    const wish = { releaseId: 'r1', target: { kind: 'group', group: 'all' }, inProgressTimeoutMinutes: 60 } as const;
    const { rolloutId } = await world.rollouts.create(OPERATOR, wish);
    const first = await ask(`${P}/$next/get`, '{"clientToken":":lamp"}\0');
    expect(first.body).toMatchObject({
      clientToken: ':lamp',
      execution: {
        status: 'QUEUED',
        jobDocument: {
          afr_ota: {
            protocols: ['MQTT', 'HTTP'],
            streamname: 'fw-r1',
            files: [
              {
                filepath: expect.any(String) as string,
                filesize: 20_000,
                fileid: 0,
                certfile: expect.any(String) as string,
                'sig-sha256-ecdsa': 'MEUCIQ==',
                auth_scheme: 'aws.s3.presigned',
              },
            ],
          },
        },
      },
    });
    await ask(`${P}/${rolloutId}/update`, { status: 'IN_PROGRESS', statusDetails: { receive: '1/5' } });
    const details = { self_test: 'ready', updatedBy: '0x00090002' };
    await ask(`${P}/${rolloutId}/update`, { status: 'IN_PROGRESS', statusDetails: details });
    const after = await ask(`${P}/$next/get`, { clientToken: '1:lamp' });
    expect(after.body).toMatchObject({ execution: { jobId: rolloutId, statusDetails: details } });
    const last = { status: 'SUCCEEDED', statusDetails: { reason: 'accepted  v.9.3', updatedBy: '  v.9.2' } };
    expect((await ask(`${P}/${rolloutId}/update`, last)).topic).toBe(`${P}/${rolloutId}/update/accepted`);
    const state = await world.repositories.executions.find('default', 'lamp', rolloutId);
    expect(state).toMatchObject({ status: 'IN_PROGRESS', awaitingProof: true });
    world.clock.advance(1);
    await world.prove('lamp', { digest: MEASUREMENT_NEW });
    expect((await ask(`${P}/${rolloutId}/update`, last)).topic).toBe(`${P}/${rolloutId}/update/accepted`);
  });

  it('reply to the asking connection whether it may receive or not', async () => {
    await ask(`${P}/get`);
    await ask(`${P}/none/get`);
    expect(lamp.replies.map(({ unpoliced }) => unpoliced)).toEqual([true, true]);
  });

  it('store the statuses of a device in the order it sent them, though it does not wait', async () => {
    await queue('a');
    const sent = Array.from({ length: 20 }, (_, at) => {
      const body = { status: 'IN_PROGRESS', statusDetails: { receive: `${at}/20` }, clientToken: `${at}` };
      return topics.publish(lamp.asker, `${P}/a/update`, encodeUtf8(JSON.stringify(body)));
    });
    await Promise.all(sent);
    const execution = await world.repositories.executions.find('default', 'lamp', 'a');
    expect(execution).toMatchObject({ statusDetails: { receive: '19/20' }, versionNumber: 21 });
    const tokens = lamp.replies.map(
      ({ payload }) => (JSON.parse(decodeUtf8(payload)) as { clientToken: string }).clientToken,
    );
    expect(tokens).toEqual(Array.from({ length: 20 }, (_, at) => `${at}`));
  });

  it('say nothing to a connection that is gone', async () => {
    const gone = fakeConnection('gone');
    await topics.publish(gone.asker, `${P}/get`, new Uint8Array(0));
    expect(gone.replies).toEqual([]);
  });
});

describe('the refusals of the Jobs topics', () => {
  afterAll(() => expect(reached).toEqual(new Set(JOBS_ERROR_CODES)));

  it.each<[string, string, string | object, string]>([
    ['no JSON', `${P}/get`, '{', 'InvalidJson'],
    ['a list', `${P}/get`, '[]', 'InvalidJson'],
    ['a token of 65 bytes', `${P}/get`, { clientToken: 'x'.repeat(65) }, 'InvalidRequest'],
    ['an update without status', `${P}/a/update`, {}, 'InvalidRequest'],
    ['a status only the server sets', `${P}/a/update`, { status: 'TIMED_OUT' }, 'InvalidRequest'],
    ['a step timeout of 0', `${P}/start-next`, { stepTimeoutInMinutes: 0 }, 'InvalidRequest'],
    ['an unknown job', `${P}/b/get`, {}, 'ResourceNotFound'],
    ['an unknown job to update', `${P}/b/update`, { status: 'FAILED' }, 'ResourceNotFound'],
    ['another execution number', `${P}/a/get`, { executionNumber: 2 }, 'ResourceNotFound'],
    ['a topic that names no request', `${P}/a/delete`, {}, 'InvalidTopic'],
  ])('%s', async (_title, topic, body, code) => {
    await queue('a');
    const reply = await ask(topic, body);
    expect(reply.topic).toBe(`${topic}/rejected`);
    expect(reply.body).toMatchObject({ code, timestamp: seconds() });
    expect(reply.body).not.toHaveProperty('executionState');
  });

  it('name the state with a wrong version and a wrong transition, and echo the token', async () => {
    await queue('a');
    expect((await ask(`${P}/a/update`, { status: 'FAILED', expectedVersion: 7, clientToken: 't' })).body).toMatchObject(
      {
        code: 'VersionMismatch',
        clientToken: 't',
        executionState: { status: 'QUEUED', versionNumber: 1 },
      },
    );
    await ask(`${P}/a/update`, { status: 'SUCCEEDED' });
    expect((await ask(`${P}/a/update`, { status: 'FAILED' })).body).toMatchObject({
      code: 'InvalidStateTransition',
      executionState: { status: 'SUCCEEDED', versionNumber: 2 },
    });
  });

  it('tell that a described execution has ended', async () => {
    await queue('a');
    await ask(`${P}/a/update`, { status: 'SUCCEEDED' });
    expect((await ask(`${P}/a/get`)).body).toMatchObject({ code: 'TerminalStateReached' });
  });

  it('say no more than that it was internal when it was', async () => {
    world.repositories.executions.pendingOf = () => Promise.reject(new Error('secret of the store'));
    const { body } = await ask(`${P}/get`);
    expect(body).toMatchObject({ code: 'InternalError' });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('slow down a connection that asks too often, and no other', async () => {
    for (let at = 0; at < 100; at++) await ask(`${P}/get`);
    expect((await ask(`${P}/get`)).body).toMatchObject({ code: 'RequestThrottled' });
    const other = fakeConnection('c2');
    expect((await ask('$aws/things/other/jobs/get', '', other)).topic).toBe('$aws/things/other/jobs/get/accepted');
    world.clock.advance(1000);
    expect((await ask(`${P}/get`)).topic).toBe(`${P}/get/accepted`);
  });
});
