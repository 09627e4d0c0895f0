import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { type EnrolledDevice, type ListenerName, TestSystem } from './testing/system.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let system: TestSystem;
let lamp: EnrolledDevice;
let other: EnrolledDevice;
let door: ListenerName = 'https';

beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  await system.addProduct('proven', 'required');
  [lamp, other] = [await system.enroll('lamp-1'), await system.enroll('lamp-2')];
  client = await system.mqtt(lamp, { id: lamp.id });
});
afterAll(() => system.close());

interface Asked {
  readonly as?: EnrolledDevice;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(method: string, target: string, { as = lamp, ...rest }: Asked = {}) {
  const answer = await system.https(method, target, { port: system.port(door), credential: as, ...rest });
  return { ...answer, json: JSON.parse(answer.text === '' ? '{}' : answer.text) as Record<string, unknown> };
}

/** An answer of the data planes that says no. */
const refusal = (status: number, name: string) => ({
  status,
  headers: expect.objectContaining({ 'x-amzn-errortype': name, 'content-type': 'application/json' }),
  json: { message: expect.any(String), traceId: expect.stringMatching(UUID) },
});

let client: MqttClient;

/** Listens to a topic; what comes from now on is waited for by `heard`. */
async function listen(filter: string): Promise<() => ReturnType<typeof heardAfter>> {
  expect(await client.subscribe(filter, 1)).toBe(1);
  const before = client.packets.length;
  return () => heardAfter(before);
}

async function heardAfter(before: number) {
  const packet = await client.until((each) => each.kind === 'publish' && client.packets.indexOf(each) >= before);
  if (packet?.kind !== 'publish') throw new TypeError('nothing came');
  return { ...packet, text: Buffer.from(packet.payload).toString() };
}

describe.each<ListenerName>(['https', 'mux'])('publish over HTTPS, %s port', (listening) => {
  beforeAll(() => {
    door = listening;
  });

  it.each([
    ['devices/lamp-1/state?qos=1', 1],
    ['devices%2Flamp-1%2Fstate', 0],
  ])('reaches who subscribed: %s', async (target, qos) => {
    const heard = await listen('devices/lamp-1/+');
    const answer = await ask('POST', `/topics/${target}`, { body: 'on' });
    expect(answer).toMatchObject({ status: 200, json: { message: 'OK', traceId: expect.stringMatching(UUID) } });
    expect(await heard()).toMatchObject({ topic: 'devices/lamp-1/state', text: 'on', qos });
  });

  it('brings the properties of MQTT 5 along', async () => {
    const heard = await listen('devices/lamp-1/state');
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const query = 'messageExpiry=60&contentType=text%2Fplain&responseTopic=devices%2Flamp-1%2Fanswer';
    const headers = {
      'x-amz-mqtt5-correlation-data': base64('17'),
      'x-amz-mqtt5-payload-format-indicator': 'UTF8_DATA',
      'x-amz-mqtt5-user-properties': base64('[{"a":"b"},{"a":"c"}]'),
    };
    expect((await ask('POST', `/topics/devices/lamp-1/state?${query}`, { body: 'x', headers })).status).toBe(200);
    expect((await heard()).properties).toMatchObject({
      contentType: 'text/plain',
      responseTopic: 'devices/lamp-1/answer',
      payloadFormatIndicator: 1,
      userProperties: [
        ['a', 'b'],
        ['a', 'c'],
      ],
    });
  });

  it('retains, shows what is retained, and forgets it', async () => {
    const kept = '/retainedMessage/devices%2Flamp-1%2Fkept';
    expect(await ask('GET', kept)).toMatchObject(refusal(404, 'ResourceNotFoundException'));
    const retain = '/topics/devices/lamp-1/kept?qos=1&retain=true';
    expect((await ask('POST', retain, { body: 'kept' })).status).toBe(200);
    expect(await ask('GET', kept)).toMatchObject({
      status: 200,
      json: { topic: 'devices/lamp-1/kept', payload: Buffer.from('kept').toString('base64'), qos: 1 },
    });
    expect(await ask('GET', kept, { as: other })).toMatchObject(refusal(403, 'ForbiddenException'));
    expect((await ask('POST', retain)).status).toBe(200);
    expect((await ask('GET', kept)).status).toBe(404);
  });

  it.each([
    ["another device's topic", '/topics/devices/lamp-2/state', {}, 403, 'ForbiddenException'],
    ['a topic of the server', '/topics/%24aws/things/lamp-1/jobs/start-next', {}, 403, 'ForbiddenException'],
    ['$SYS', '/topics/%24SYS/x', {}, 403, 'ForbiddenException'],
    ['a filter', '/topics/devices/lamp-1/%23', {}, 400, 'InvalidRequestException'],
    ['too many levels', `/topics/devices/lamp-1/${'x/'.repeat(7)}x`, {}, 400, 'InvalidRequestException'],
    ['a long topic', `/topics/devices/lamp-1/${'x'.repeat(300)}`, {}, 400, 'InvalidRequestException'],
    ['QoS 2', '/topics/devices/lamp-1/state?qos=2', {}, 400, 'InvalidRequestException'],
    ['two QoS', '/topics/devices/lamp-1/state?qos=0&qos=1', {}, 400, 'InvalidRequestException'],
    ['a retain that is no switch', '/topics/devices/lamp-1/state?retain=1', {}, 400, 'InvalidRequestException'],
    [
      'a wildcard to answer to',
      '/topics/devices/lamp-1/state?responseTopic=a%2F%23',
      {},
      400,
      'InvalidRequestException',
    ],
    ['a NUL in a property', '/topics/devices/lamp-1/state?contentType=%00', {}, 400, 'InvalidRequestException'],
    [
      'user properties that are no list',
      '/topics/devices/lamp-1/state',
      { headers: { 'x-amz-mqtt5-user-properties': 'e30=' } },
      400,
      'InvalidRequestException',
    ],
    [
      'too much',
      '/topics/devices/lamp-1/state',
      { body: Buffer.alloc(131_073) },
      413,
      'RequestEntityTooLargeException',
    ],
  ])('refuses %s', async (_, target, asked, status, name) => {
    expect(await ask('POST', target, { body: 'x', ...asked })).toMatchObject(refusal(status, name));
  });
});

describe('the data planes', () => {
  it('write what they refuse to the audit log', async () => {
    await ask('POST', '/topics/devices/lamp-2/state', { body: 'x' });
    await expect.poll(() => system.actions('lamp-1')).toContain('request.refused');
  });

  it('leave a device that must prove itself its jobs, and nothing to say', async () => {
    const proven = await system.enroll('proven-1', 'proven');
    expect((await ask('POST', '/topics/devices/proven-1/x', { as: proven, body: 'x' })).status).toBe(403);
    expect((await ask('GET', '/things/proven-1/shadow', { as: proven })).status).toBe(403);
    expect((await ask('GET', '/things/proven-1/jobs', { as: proven })).status).toBe(200);
  });

  it('are shut to a device that is revoked, and what it retained is gone (AC25)', async () => {
    const gone = await system.enroll('lamp-9');
    const hall = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['iot:GetRetainedMessage'], Resource: ['arn:aws:iot:*:*:topic/*'] }],
    };
    await system.api.call('policies.put', { policy: 'reader', body: { document: JSON.stringify(hall) } });
    await system.api.call('policies.attach', { policy: 'reader', body: { kind: 'device', id: 'lamp-2' } });
    const kept = '/retainedMessage/devices/lamp-9/kept';
    await ask('POST', '/topics/devices/lamp-9/kept?retain=true', { as: gone, body: 'poison' });
    await expect.poll(async () => (await ask('GET', kept, { as: other })).status).toBe(200);
    await system.api.call('devices.revoke', { device: 'lamp-9', body: { reason: 'keyCompromise' } });
    expect((await ask('POST', '/topics/devices/lamp-9/x', { as: gone, body: 'x' })).status).toBe(403);
    await expect.poll(async () => (await ask('GET', kept, { as: other })).status).toBe(404);
    await system.api.call('policies.detach', { policy: 'reader', body: { kind: 'device', id: 'lamp-2' } });
  });

  it('tell who asks for MQTT without WebSocket what to do', async () => {
    expect(await system.https('GET', '/mqtt', { credential: lamp })).toMatchObject({
      status: 426,
      headers: { upgrade: 'websocket' },
    });
  });
});

describe('jobs over HTTPS', () => {
  const jobs = '/things/lamp-1/jobs';

  it('runs one from pending to succeeded', async () => {
    expect((await ask('PUT', `${jobs}/$next`)).json).not.toHaveProperty('execution');
    await system.api.call('jobs.create', { body: { jobId: 'blink', devices: ['lamp-1'], document: { blink: 1 } } });
    expect((await ask('GET', jobs)).json).toMatchObject({ inProgressJobs: [], queuedJobs: [{ jobId: 'blink' }] });
    const started = await ask('PUT', `${jobs}/%24next`, { body: '{"statusDetails":{"step":"1"}}' });
    expect(started).toMatchObject({
      status: 200,
      json: { execution: { jobId: 'blink', status: 'IN_PROGRESS', jobDocument: { blink: 1 } } },
    });
    const described = await ask('GET', `${jobs}/blink`);
    expect(described.json['execution']).not.toHaveProperty('jobDocument');
    expect((await ask('GET', `${jobs}/$next?includeJobDocument=true`)).json).toMatchObject({
      execution: { jobId: 'blink', statusDetails: { step: '1' }, jobDocument: { blink: 1 } },
    });
    const stale = '{"status":"SUCCEEDED","expectedVersion":99}';
    expect(await ask('POST', `${jobs}/blink`, { body: stale })).toMatchObject(refusal(409, 'ConflictException'));
    const done = await ask('POST', `${jobs}/blink`, { body: '{"status":"SUCCEEDED","includeJobExecutionState":true}' });
    expect(done).toMatchObject({ status: 200, json: { executionState: { status: 'SUCCEEDED' } } });
    expect(await ask('POST', `${jobs}/blink`, { body: '{"status":"IN_PROGRESS"}' })).toMatchObject(
      refusal(409, 'InvalidStateTransitionException'),
    );
  });

  it.each([
    ['GET', '/things/lamp-2/jobs', '', 403, 'ForbiddenException'],
    ['PUT', '/things/lamp-2/jobs/$next', '{}', 403, 'ForbiddenException'],
    ['GET', '/things/lamp-1/jobs/none', '', 404, 'ResourceNotFoundException'],
    ['POST', '/things/lamp-1/jobs/none', '{"status":"DONE"}', 400, 'InvalidRequestException'],
    ['POST', '/things/lamp-1/jobs/none', '{', 400, 'InvalidRequestException'],
    ['GET', '/things/lamp-1/jobs/none?executionNumber=x', '', 400, 'InvalidRequestException'],
  ])('answers %s %s %s with %i', async (method, target, body, status, name) => {
    expect(await ask(method, target, body === '' ? {} : { body })).toMatchObject(refusal(status, name));
  });
});

describe('shadows over HTTPS', () => {
  it.each([
    ['the classic one', '', 'shadow'],
    ['a named one', '?name=lights', 'shadow/name/lights'],
  ])('keeps %s, and tells its topics', async (_, query, rest) => {
    const shadow = `/things/lamp-1/shadow${query}`;
    expect(await ask('GET', shadow)).toMatchObject(refusal(404, 'ResourceNotFoundException'));
    const heard = await listen(`$aws/things/lamp-1/${rest}/update/accepted`);
    const state = '{"state":{"desired":{"on":true},"reported":{"on":false}},"clientToken":"t"}';
    const updated = await ask('POST', shadow, { body: state });
    expect(updated).toMatchObject({ status: 200, json: { version: 1, clientToken: 't' } });
    expect(JSON.parse((await heard()).text)).toEqual(updated.json);
    expect((await ask('GET', shadow)).json).toMatchObject({
      state: { desired: { on: true }, reported: { on: false }, delta: { on: true } },
      version: 1,
    });
    expect(await ask('POST', shadow, { body: '{"state":{},"version":7}' })).toMatchObject(
      refusal(409, 'ConflictException'),
    );
    expect(await ask('POST', shadow, { body: '{' })).toMatchObject(refusal(400, 'InvalidRequestException'));
    expect((await ask('DELETE', shadow)).json).toMatchObject({ version: 1 });
    expect((await ask('GET', shadow)).status).toBe(404);
  });

  it('lists the named ones', async () => {
    for (const name of ['b', 'a']) await ask('POST', `/things/lamp-1/shadow?name=${name}`, { body: '{"state":{}}' });
    const list = '/api/things/shadow/ListNamedShadowsForThing/lamp-1';
    expect((await ask('GET', list)).json).toMatchObject({ results: ['a', 'b'] });
    const first = await ask('GET', `${list}?pageSize=1`);
    expect(first.json).toMatchObject({ results: ['a'] });
    expect((await ask('GET', `${list}?pageSize=1&nextToken=${String(first.json['nextToken'])}`)).json).toMatchObject({
      results: ['b'],
    });
  });

  it.each(['GET', 'POST', 'DELETE'])("refuses %s of another device's", async (method) => {
    const asked = method === 'POST' ? { body: '{"state":{}}' } : {};
    expect(await ask(method, '/things/lamp-2/shadow', asked)).toMatchObject(refusal(403, 'ForbiddenException'));
  });
});
