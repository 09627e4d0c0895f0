import { request } from 'node:http';
import { connect } from 'node:tls';
import { OPERATIONS, type Operation, type OperationName } from '@holdfast/api';
import { decodeUtf8, encodeUtf8, seededRandom, systemClock } from '@holdfast/kernel';
import { encodeConnect, encodePublish, encodeSubscribe, NO_PROPERTIES, PINGREQ } from '@holdfast/wire/mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MqttClient } from '../protocols/gateway/testing/mqtt-client.ts';
import { askTopic, jsonBytes, jsonOf } from './testing/provisioning.ts';
import { type EnrolledDevice, TestSystem } from './testing/system.ts';

const MIB = 1024 * 1024;

let system: TestSystem;
let watcher: MqttClient;
beforeAll(async () => {
  system = await TestSystem.start();
  await system.addProduct('lamp');
  const device = await system.enroll('watcher');
  watcher = await system.mqtt(device, { id: 'watcher' });
  await watcher.subscribe('devices/watcher/#');
});
afterAll(() => system.close());

/** The house still stands: a bystander is served and nobody's bytes reached it. */
async function expectAlive(): Promise<void> {
  expect(await watcher.publishOnce('elsewhere')).toBe(0x87);
  expect(watcher.socket.destroyed).toBe(false);
  expect(watcher.delivered).toEqual([]);
  expect((await system.api.call('status.show', {})).tenant).toBe('default');
}

describe.each([4, 5] as const)('an MQTT session at protocol level %i with one byte wrong', (version) => {
  const session = (id: string): Uint8Array =>
    Buffer.concat([
      encodeConnect({
        version,
        clean: true,
        keepAlive: 60,
        clientId: id,
        will: {
          topic: `devices/${id}/will`,
          payload: encodeUtf8('w'),
          qos: 0,
          retain: false,
          properties: NO_PROPERTIES,
        },
        userName: undefined,
        password: undefined,
        properties: NO_PROPERTIES,
      }),
      encodeSubscribe({ packetId: 1, subscriptions: [{ text: `devices/${id}/in`, qos: 1 }] }, version),
      encodePublish({ topic: `devices/${id}/out`, payload: encodeUtf8('x'), qos: 1, packetId: 2 }, version),
      PINGREQ,
    ]);

  /** Sends the bytes and no more; what matters is that the server ends it or goes on, and stays. */
  function send(device: EnrolledDevice, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect({
        host: '127.0.0.1',
        port: system.port('mqtt'),
        servername: 'localhost',
        ca: system.ca,
        key: device.keyPem,
        cert: device.pem,
      });
      socket.on('error', () => undefined);
      socket.once('close', () => resolve());
      socket.resume();
      socket.end(bytes);
    });
  }

  it('ends there, at every byte of it, and nothing else does', async () => {
    const before = process.memoryUsage.rss();
    const random = seededRandom(version);
    const { length } = session('v0-d0');
    // Sixty connections in a row are what one certificate is allowed; every device gets fewer.
    const perDevice = 40;
    for (let first = 0; first < length; first += perDevice) {
      const device = await system.enroll(`v${version}-d${first / perDevice}`);
      for (let at = first; at < Math.min(first + perDevice, length); at++) {
        const bytes = Uint8Array.from(session(device.id));
        if (at % 3 === 0) await send(device, bytes.subarray(0, at));
        else {
          bytes[at] = at % 3 === 1 ? (bytes[at] ?? 0) ^ 0xff : (random.bytes(1)[0] ?? 0);
          await send(device, bytes);
        }
      }
    }
    await expectAlive();
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * MIB);
  });

  it('that claims a packet of 256 MB gets no memory for it', async () => {
    const device = await system.enroll(`v${version}-huge`);
    const before = process.memoryUsage.rss();
    const begun = systemClock.monotonicMs();
    for (const type of [0x10, 0x30, 0x82]) {
      await send(device, Uint8Array.of(type, 0xff, 0xff, 0xff, 0x7f, ...new Uint8Array(64)));
    }
    expect(systemClock.monotonicMs() - begun).toBeLessThan(5_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * MIB);
    await expectAlive();
  });
});

describe('what a device asks of its jobs', () => {
  let client: MqttClient;
  beforeAll(async () => {
    const device = await system.enroll('lamp-1');
    client = await system.mqtt(device, { id: 'lamp-1' });
    const document = { say: 'hello' };
    await system.api.call('jobs.create', { body: { jobId: 'job-1', devices: ['lamp-1'], document } });
  });
  const jobs = (rest: string, payload: Uint8Array) => askTopic(client, `$aws/things/lamp-1/jobs/${rest}`, payload);
  const withNul = (value: unknown) => encodeUtf8(`${JSON.stringify(value)}\u0000`);

  it('is read with a NUL behind the JSON, as C strings come', async () => {
    expect(await jobs('get', withNul({ clientToken: 'a' }))).toMatchObject({ kind: 'accepted' });
    const described = await jobs('job-1/get', withNul({}));
    expect(jsonOf(described)['execution']).toMatchObject({ jobId: 'job-1', status: 'QUEUED' });
  });

  it.each([
    ['no JSON', encodeUtf8('{'), 'InvalidJson'],
    ['two NULs in the middle', encodeUtf8('{}\u0000\u0000{}'), 'InvalidJson'],
    ['a list', encodeUtf8('[]'), 'InvalidJson'],
    ['UTF-8 cut short', Uint8Array.of(0x22, 0xc3), 'InvalidJson'],
    ['nesting without end', encodeUtf8('['.repeat(50_000)), 'InvalidJson'],
  ] as const)('is refused when it is %s', async (_, payload, code) => {
    const reply = await jobs('job-1/update', payload);
    expect([reply.kind, jsonOf(reply)['code']]).toEqual(['rejected', code]);
  });

  it.each([
    ['an unknown job', 'nobody/update', { status: 'SUCCEEDED' }, 'ResourceNotFound'],
    ['an unknown job to describe', 'nobody/get', {}, 'ResourceNotFound'],
    [
      'another version than expected',
      'job-1/update',
      { status: 'IN_PROGRESS', expectedVersion: 99 },
      'VersionMismatch',
    ],
    ['a status there is none of', 'job-1/update', { status: 'WON' }, 'InvalidRequest'],
    ['a status only the server gives', 'job-1/update', { status: 'CANCELED' }, 'InvalidRequest'],
    ['a version that is no number', 'job-1/update', { status: 'IN_PROGRESS', expectedVersion: 'x' }, 'InvalidRequest'],
  ] as const)('is refused for %s with the word AWS has for it', async (_, rest, message, code) => {
    const reply = await jobs(rest, jsonBytes(message));
    expect([reply.kind, jsonOf(reply)['code']]).toEqual(['rejected', code]);
    const { executions } = await system.api.call('jobs.show', { job: 'job-1' });
    expect(executions.map(({ status }) => status)).toEqual(['QUEUED']);
  });

  it('is taken once, whatever comes after the end', async () => {
    expect(await jobs('job-1/update', jsonBytes({ status: 'SUCCEEDED' }))).toMatchObject({ kind: 'accepted' });
    const again = await jobs('job-1/update', jsonBytes({ status: 'FAILED' }));
    expect(jsonOf(again)['code']).toBe('InvalidStateTransition');
  });
});

describe('what an operator asks', () => {
  const rows = Object.entries(OPERATIONS as Record<string, Operation>);
  const BODIES: Readonly<Record<string, object>> = {
    'products.set-evidence': { evidence: 'none', reason: 'x' },
    'products.set-chip': { chip: 'nrf52840' },
    'products.rotate-key': { reason: 'x' },
    'products.revoke-key': { reason: 'x' },
    'products.set-enrollment': { approval: 'operator' },
    'claims.mint-passwords': { count: 1 },
    'tpm-references.record': { version: '1.0.0', hardwareRevision: '1', registers: { 0: '00'.repeat(32) } },
    'products.preview-minimum': { version: '1.0.0', reason: 'x' },
    'products.raise-minimum': { version: '1.0.0', reason: 'x' },
    'devices.groups': { groups: ['a'] },
    'devices.attributes': { attributes: { line: '3' } },
    'devices.decommission': { statement: 'AAAA', signature: 'AAAA' },
    'devices.revoke': {},
    'devices.enroll': { claim: 'nobody', csr: 'AAAA' },
    'devices.explain': { questions: [{ verb: 'connect', resource: 'nobody' }] },
    'shadows.update': { desired: {} },
    'sinks.replay': { offset: 0 },
    'operators.certify': { csrPem: 'x' },
    'operators.change-role': { role: 'viewer' },
    'policies.attach': { kind: 'device', id: 'watcher' },
    'certificates.revoke': {},
    'certificates.activate': { device: 'nobody' },
    'templates.update': {},
    'templates.register-thing': { parameters: {} },
    'manufacturers.change': { state: 'inactive' },
  };
  /** One creates what it names, the other leaves behind what is so already. */
  const NOT_BY_NAME: ReadonlySet<string> = new Set(['policies.put', 'policies.detach']);
  const named = rows
    .filter(([name, { path }]) => path.includes('{') && !NOT_BY_NAME.has(name))
    .map(([name]) => name as OperationName);

  it.each(named)('%s answers 404 with one code to a name nobody has', async (name) => {
    for (const id of ['nobody', 'x'.repeat(250), '../status', 'a b', '%', "'; drop table devices; --", 'ä', '\u0000']) {
      const parts = [...OPERATIONS[name].path.matchAll(/\{(\w+)\}/g)].map(([, part = '']) => [part, id] as const);
      const input = { ...Object.fromEntries(parts), body: BODIES[name] };
      const problem = await system.api.call(name, input as never).then(
        () => ({ status: 200, code: 'done' }),
        (error: unknown) =>
          (error as { problem?: { status: number; code: string } }).problem ?? { status: -1, code: String(error) },
      );
      const refused = [400, 404, 414].includes(problem.status);
      expect([id, problem.status, refused, /^[a-z]+\.[a-z_]+$/.test(problem.code)]).toEqual([
        id,
        problem.status,
        true,
        true,
      ]);
      if (id === 'nobody') expect(problem.status).toBe(404);
    }
  });

  it('is refused whole when its JSON says a thing twice, or is none', async () => {
    const bodies = [
      '{"name":"twice","name":"thrice"}',
      '{"name":"twice"',
      '{"name":"twice"} {}',
      '{"__proto__":{"name":"twice"}}',
      '"twice"',
      '\ufeff{"name":"twice"}',
      '{"name":"\ud800"}',
    ];
    for (const body of bodies) expect([body, await createProduct(encodeUtf8(body))]).toEqual([body, 400]);
    expect(await createProduct(Uint8Array.of(0xff, 0xfe))).toBe(400);
    const { rows: products } = await system.api.call('products.list', {});
    expect(products.map(({ name }) => name)).toEqual(['lamp']);
  });

  it('is refused when it is longer than any request', async () => {
    expect(await createProduct(encodeUtf8(`{"name":"${'x'.repeat(9 * MIB)}"}`))).toBe(413);
  });

  async function createProduct(body: Uint8Array): Promise<number> {
    const answer = await socketPost(OPERATIONS['products.create'].path, body);
    expect(answer.text).not.toContain('thrice');
    return answer.status;
  }
  const socketPost = (path: string, body: Uint8Array) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { host: 'localhost', 'content-type': 'application/json', 'content-length': body.length };
      const outgoing = request({ socketPath: `${system.data}/holdfast.sock`, method: 'POST', path, headers });
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, text: decodeUtf8(new Uint8Array(Buffer.concat(chunks))) }),
        );
      });
      outgoing.end(body);
    });
});
