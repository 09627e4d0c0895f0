import { decodeUtf8, encodeUtf8, HoldfastError, ManualClock, silentLog } from '@holdfast/kernel';
import { Shadows } from '@holdfast/trust/communication';
import type { DeviceRecord } from '@holdfast/trust/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStorageBed } from '../../persistence/conformance/storage-bed.ts';
import { SqlShadowRepository } from '../../persistence/repositories/communication-shadows.ts';
import { deviceNamed, type FakeConnection, fakeConnection } from '../../testing/fake-connection.ts';
import { AwsIotTopics, ShadowNotices } from './index.ts';

const refuse = (): never => {
  throw new Error('not asked here');
};

type Bed = Awaited<ReturnType<typeof openStorageBed>>;

let bed: Bed;
let clock: ManualClock;
let shadows: Shadows;
let topics: AwsIotTopics;
let lamp: FakeConnection;
let told: { readonly topic: string; readonly body: Record<string, unknown> }[];
let failing: HoldfastError | undefined;

const S = '$aws/things/lamp/shadow';
const KEY = { tenant: 'default', deviceId: 'lamp', name: undefined };

beforeEach(async () => {
  clock = new ManualClock(1_700_000_000_000);
  bed = await openStorageBed({ blobs: refuse as never, clock });
  failing = undefined;
  const store = {
    commit: (writes: Parameters<Bed['store']['commit']>[0]) =>
      failing === undefined ? bed.store.commit(writes) : Promise.reject(failing),
  };
  const devices = {
    find: (_tenant: string, id: string) => Promise.resolve(id === 'lamp' ? ({} as DeviceRecord) : undefined),
  };
  const repository = new SqlShadowRepository(bed.reader);
  shadows = new Shadows({ ...bed, ...bed.keyPorts, store, clock, devices, shadows: repository });
  told = [];
  const publish = (_tenant: string, topic: string, payload: Uint8Array) => {
    told.push({ topic, body: JSON.parse(decodeUtf8(payload)) as Record<string, unknown> });
    return Promise.resolve();
  };
  const notices = new ShadowNotices({ publisher: { publish }, log: silentLog });
  shadows.onChange((change) => notices.onChange(change));
  topics = new AwsIotTopics({
    ratchet: { offer: async () => new Uint8Array(48), turn: async () => undefined },
    mustRenew: async () => false,
    clock,
    enrollment: {} as never,
    attestation: { challenge: refuse, appraise: refuse },
    jobs: {} as never,
    streams: {} as never,
    shadows,
    publisher: { publish },
    peerOf: () => ({ principal: deviceNamed('lamp'), remoteAddress: '::1' }),
    renewRights: refuse,
    onHealth: refuse,
  });
  lamp = fakeConnection('c1');
});
afterEach(() => bed.opened.close());

/** What is told because of one request, by the end of its topic. */
async function ask(request: string, body: unknown = '') {
  told.length = 0;
  const payload = encodeUtf8(typeof body === 'string' ? body : JSON.stringify(body));
  await topics.publish(lamp.asker, `${S}/${request}`, payload);
  return Object.fromEntries(told.map(({ topic, body: said }) => [topic.slice(S.length + 1), said]));
}

const desired = (state: unknown, rest: object = {}) => ({ state: { desired: state }, ...rest });
const reported = (state: unknown, rest: object = {}) => ({ state: { reported: state }, ...rest });
const stamp = { timestamp: 1_700_000_000 };

describe.each([
  ['the classic shadow', ''],
  ['a named shadow', 'name/cabin/'],
])('%s', (_, prefix) => {
  it('answers, tells the difference and shows both documents', async () => {
    const first = await ask(`${prefix}update`, desired({ color: { r: 10, g: 2 }, on: true }, { clientToken: 't' }));
    const common = { version: 1, timestamp: 1_700_000_000, clientToken: 't' };
    const metadata = { color: { r: stamp, g: stamp }, on: stamp };
    const state = { color: { r: 10, g: 2 }, on: true };
    expect(first).toEqual({
      [`${prefix}update/accepted`]: { state: { desired: state }, metadata: { desired: metadata }, ...common },
      [`${prefix}update/delta`]: { state, metadata, ...common },
      [`${prefix}update/documents`]: {
        previous: { state: {}, metadata: {}, version: 0 },
        current: { state: { desired: state }, metadata: { desired: metadata }, version: 1 },
        timestamp: 1_700_000_000,
        clientToken: 't',
      },
    });
    clock.advance(5000);
    const second = await ask(`${prefix}update`, reported({ color: { r: 10, g: 3 }, on: true, extra: [1] }));
    expect(second[`${prefix}update/delta`]).toEqual({
      state: { color: { g: 2 } },
      metadata: { color: { g: stamp } },
      version: 2,
      timestamp: 1_700_000_005,
    });
    const { [`${prefix}get/accepted`]: whole } = await ask(`${prefix}get`, { clientToken: 'g' });
    expect(whole).toMatchObject({
      state: {
        desired: state,
        reported: { color: { r: 10, g: 3 }, on: true, extra: [1] },
        delta: { color: { g: 2 } },
      },
      metadata: { desired: metadata, reported: { extra: [{ timestamp: 1_700_000_005 }] } },
      version: 2,
      clientToken: 'g',
    });
  });

  it('says nothing of a difference when there is none', async () => {
    await ask(`${prefix}update`, desired({ on: true }));
    expect(Object.keys(await ask(`${prefix}update`, reported({ on: true })))).toEqual([
      `${prefix}update/accepted`,
      `${prefix}update/documents`,
    ]);
  });

  it('removes what is null: an attribute, the object it emptied, a whole section', async () => {
    await ask(`${prefix}update`, { state: { desired: { a: { b: 1 }, c: 2 }, reported: { d: 1 } } });
    await ask(`${prefix}update`, desired({ a: { b: null } }));
    expect((await ask(`${prefix}get`))[`${prefix}get/accepted`]).toMatchObject({ state: { desired: { c: 2 } } });
    await ask(`${prefix}update`, desired(null));
    const { [`${prefix}get/accepted`]: left } = await ask(`${prefix}get`);
    expect(left).toMatchObject({ state: { reported: { d: 1 } }, metadata: { reported: { d: stamp } }, version: 3 });
    expect(left?.['state']).not.toHaveProperty('desired');
  });

  it('takes an update of the version in force and refuses one of another', async () => {
    await ask(`${prefix}update`, desired({ on: true }));
    expect(await ask(`${prefix}update`, desired({ on: false }, { version: 7, clientToken: 't' }))).toEqual({
      [`${prefix}update/rejected`]: {
        code: 409,
        message: 'Version conflict',
        timestamp: 1_700_000_000,
        clientToken: 't',
      },
    });
    expect(await ask(`${prefix}update`, desired({ on: false }, { version: 1 }))).toHaveProperty([
      `${prefix}update/accepted`,
    ]);
  });

  it('goes on counting after it was deleted', async () => {
    await ask(`${prefix}update`, desired({ on: true }));
    expect(await ask(`${prefix}delete`, { clientToken: 'd' })).toEqual({
      [`${prefix}delete/accepted`]: { version: 1, timestamp: 1_700_000_000, clientToken: 'd' },
    });
    const rejected = {
      code: 404,
      message: `No shadow exists with name: ${prefix === '' ? 'Classic Shadow' : 'cabin'}`,
    };
    expect(await ask(`${prefix}get`)).toMatchObject({ [`${prefix}get/rejected`]: rejected });
    expect(await ask(`${prefix}delete`)).toMatchObject({ [`${prefix}delete/rejected`]: rejected });
    expect(await ask(`${prefix}update`, reported({ on: true }))).toMatchObject({
      [`${prefix}update/accepted`]: { version: 2 },
    });
  });
});

describe('the shadow service', () => {
  it.each<readonly [string, number, string]>([
    ['{', 400, 'Invalid JSON'],
    ['{}', 400, 'Missing required node: state'],
    ['{"state":1}', 400, 'State node must be an object'],
    ['{"state":{"desired":1}}', 400, 'Desired node must be an object'],
    ['{"state":{"reported":1}}', 400, 'Reported node must be an object'],
    ['{"state":{},"version":"x"}', 400, 'Invalid version'],
    [`{"state":{},"clientToken":"${'t'.repeat(65)}"}`, 400, 'Invalid clientToken'],
    ['{"state":{"desired":{"a":[null]}}}', 400, 'State contains an invalid node'],
    [
      `{"state":{"desired":{"a":${'{"b":'.repeat(9)}1${'}'.repeat(9)}}}}`,
      400,
      'JSON contains too many levels of nesting; maximum is 8',
    ],
    [`{"state":{"desired":{"a":"${'x'.repeat(8192)}"}}}`, 413, 'The payload exceeds the maximum size allowed'],
    [' '.repeat(20_000), 413, 'The payload exceeds the maximum size allowed'],
  ])('refuses %.60s', async (body, code, message) => {
    expect(await ask('update', body)).toMatchObject({ 'update/rejected': { code, message } });
    expect(await ask('get')).toHaveProperty(['get/rejected']);
  });

  it('refuses what is no text', async () => {
    await topics.publish(lamp.asker, `${S}/update`, Uint8Array.of(0x7b, 0xff, 0x7d));
    expect(told[0]?.body).toMatchObject({ code: 415 });
  });

  it('bounds what merges add up to, and changes nothing then', async () => {
    await ask('update', desired({ a: 'x'.repeat(5000) }));
    expect(await ask('update', desired({ b: 'x'.repeat(5000) }))).toMatchObject({ 'update/rejected': { code: 413 } });
    expect((await shadows.get(KEY)).version).toBe(1);
  });

  it('bounds how many shadows a device has, and forgets deleted ones after two days', async () => {
    for (let made = 0; made < 64; made++) await shadows.update({ ...KEY, name: `n${made}` }, plain({ on: true }));
    expect(await ask('name/one-more/update', desired({ on: true }))).toMatchObject({
      'name/one-more/update/rejected': { code: 400 },
    });
    await shadows.delete({ ...KEY, name: 'n0' });
    await expect(shadows.update(KEY, plain({}))).rejects.toThrowError(coded('communication.too_many_shadows'));
    clock.advance(48 * 3_600_000 + 1);
    expect(await shadows.update(KEY, plain({ on: 1 }))).toMatchObject({ current: { version: 1 } });
  });

  it('lists named shadows page by page, without the classic and the deleted', async () => {
    for (const name of ['c', 'a', 'b', undefined]) await shadows.update({ ...KEY, name }, plain({ on: true }));
    await shadows.delete({ ...KEY, name: 'b' });
    expect(await shadows.list(KEY, { limit: 1 })).toEqual({ rows: ['a'], next: 'a' });
    expect(await shadows.list(KEY, { limit: 10, after: 'a' })).toEqual({ rows: ['c'], next: undefined });
  });

  it('loses no update when many come at once', async () => {
    await Promise.all(Array.from({ length: 4 }, (_, at) => shadows.update(KEY, plain({ [`k${at}`]: at }))));
    const { state, version } = await shadows.get(KEY);
    expect([version, state.desired]).toEqual([4, { k0: 0, k1: 1, k2: 2, k3: 3 }]);
  });

  it('says so when the store fails, and no more', async () => {
    failing = new HoldfastError('store.unavailable');
    expect(await ask('update', desired({ on: true }))).toMatchObject({
      'update/rejected': { code: 500, message: 'Internal service failure' },
    });
  });

  it('answers ten requests of a connection at a time and throttles the eleventh', async () => {
    const all = Array.from({ length: 11 }, () => topics.publish(lamp.asker, `${S}/get`, new Uint8Array(0)));
    await Promise.all(all);
    expect(told.filter(({ body }) => body['code'] === 429)).toHaveLength(1);
    expect(told.filter(({ body }) => body['code'] === 404)).toHaveLength(10);
  });

  it('throttles a connection that never rests', async () => {
    for (let asked = 0; asked < 40; asked++) await ask('get');
    expect(await ask('get')).toMatchObject({ 'get/rejected': { code: 429 } });
    clock.advance(1000);
    expect(await ask('get')).toMatchObject({ 'get/rejected': { code: 404 } });
  });

  it('keeps what it says sealed', async () => {
    await ask('update', desired({ canary: 'a-secret-place' }));
    const stored = await bed.sealedRecords.newest('default', 'shadow', 'lamp/');
    expect(Buffer.from(stored?.sealed ?? []).includes('a-secret-place')).toBe(false);
    expect(stored?.version).toBe(1);
  });

  it('makes no shadow for a device that does not exist', async () => {
    const ghost = { ...KEY, deviceId: 'ghost' };
    await expect(shadows.update(ghost, plain({}))).rejects.toThrowError(coded('identity.unknown_device'));
    await expect(shadows.get({ ...KEY, name: 'a/b' })).rejects.toThrowError(coded('communication.shadow_name'));
  });
});

const coded = (code: string) => expect.objectContaining({ code });
const plain = (state: Record<string, string | number | boolean>) => ({
  state: { desired: state },
  version: undefined,
  clientToken: undefined,
});
