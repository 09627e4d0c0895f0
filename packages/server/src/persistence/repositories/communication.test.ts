import { HoldfastError, ManualClock, silentLog, systemRandom } from '@holdfast/kernel';
import type { PolicyRecord } from '@holdfast/trust/ports';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '../../protocols/mqtt/memory-store.ts';
import type { StoreChange, StoredMessage, StoredState } from '../../protocols/mqtt/ports.ts';
import { type OpenStore, openStore } from '../open-store.ts';
import { query } from '../schema.ts';
import { compileWrite } from '../write.ts';
import { communicationRepositories } from './communication.ts';
import { type PlaceSealer, SealedMessageKeys } from './communication-keys.ts';
import { MessageOpener, MessageSealer } from './communication-messages.ts';
import { SqlDurableStore } from './communication-mqtt.ts';
import { identityRepositories } from './identity.ts';
import { SqlSealedRecords } from './storage-records.ts';

const T = 'default';
const conflict = expect.objectContaining({ code: 'store.conflict' });

let opened: OpenStore;
beforeEach(async () => {
  opened = await openStore({ location: ':memory:', clock: new ManualClock() });
});
afterEach(() => opened.close());

const policy = (name: string): PolicyRecord => ({
  tenant: T,
  name,
  document: '{}',
  version: 1,
  createdAt: 1,
  changedAt: 1,
});

describe('policy rows', () => {
  const device = { kind: 'device', id: 'lamp-1' } as const;
  const group = { kind: 'group', id: 'all' } as const;

  it('keep a document under its name, per tenant', async () => {
    const { policies } = communicationRepositories(opened.reader);
    await opened.store.commit([policies.inserting(policy('p'))]);
    expect(await policies.find(T, 'p')).toEqual(policy('p'));
    expect(await policies.find('other', 'p')).toBeUndefined();
    await expect(opened.store.commit([policies.inserting(policy('p'))])).rejects.toThrowError(conflict);
  });

  it('change once for each version they were read at', async () => {
    const { policies } = communicationRepositories(opened.reader);
    await opened.store.commit([policies.inserting(policy('p'))]);
    const change = policies.changing(policy('p'), { document: '{"a":1}', changedAt: 2 });
    await opened.store.commit([change]);
    expect(await policies.find(T, 'p')).toMatchObject({ document: '{"a":1}', version: 2, createdAt: 1, changedAt: 2 });
    await expect(opened.store.commit([change])).rejects.toThrowError(conflict);
  });

  it('list by name in pages', async () => {
    const { policies } = communicationRepositories(opened.reader);
    await opened.store.commit(['c', 'a', 'b'].map((name) => policies.inserting(policy(name))));
    const first = await policies.list(T, { limit: 2 });
    expect([first.rows.map(({ name }) => name), first.next]).toEqual([['a', 'b'], 'b']);
    const rest = await policies.list(T, { limit: 2, after: first.next });
    expect([rest.rows.map(({ name }) => name), rest.next]).toEqual([['c'], undefined]);
  });

  it('attach once, to what exists, and stay while attached', async () => {
    const { policies } = communicationRepositories(opened.reader);
    await opened.store.commit([policies.inserting(policy('p')), policies.inserting(policy('q'))]);
    await opened.store.commit([
      policies.attaching(T, 'p', device),
      policies.attaching(T, 'p', device),
      policies.attaching(T, 'p', group),
      policies.attaching(T, 'q', group),
    ]);
    expect(await policies.attachedTo(T, group)).toEqual(['p', 'q']);
    expect(await policies.attachedTo(T, device)).toEqual(['p']);
    expect(await policies.attachedTo(T, { kind: 'device', id: 'nobody' })).toEqual([]);
    expect(await policies.reaching(T, device.id)).toEqual(['p']);
    expect(await policies.reaching(T, 'lamp-2')).toEqual([]);
    const { devices } = identityRepositories(opened.reader);
    await opened.store.commit(['lamp-1', 'lamp-2'].map((id) => devices.joining(T, id, group.id)));
    expect(await policies.reaching(T, device.id)).toEqual(['p', 'q']);
    expect(await policies.reaching(T, 'lamp-2')).toEqual(['p', 'q']);
    expect(await policies.reaching('other', 'lamp-2')).toEqual([]);
    expect(await policies.targetsOf(T, 'p', 10)).toEqual([device, group]);
    await expect(opened.store.commit([policies.attaching(T, 'none', device)])).rejects.toThrowError(conflict);
    await expect(opened.store.commit([policies.removing(policy('q'))])).rejects.toThrowError(conflict);
    await opened.store.commit([policies.detaching(T, 'q', group), policies.removing(policy('q'))]);
    expect(await policies.find(T, 'q')).toBeUndefined();
  });
});

/** Seals nothing; remembers what it was given for which place. */
class TestFields implements PlaceSealer {
  readonly #kept: string[] = [];

  seal(place: object, plaintext: Uint8Array): Promise<{ sealed: Uint8Array; keyVersion: number }> {
    this.#kept.push(JSON.stringify([place, ...plaintext]));
    return Promise.resolve({ sealed: plaintext, keyVersion: 1 });
  }

  open(place: object, sealed: Uint8Array): Promise<Uint8Array> {
    const isKept = this.#kept.includes(JSON.stringify([place, ...sealed]));
    return isKept ? Promise.resolve(sealed) : Promise.reject(new HoldfastError('crypto.open_failed'));
  }
}

const fields = new TestFields();

function keysOf({ reader, store }: OpenStore): SealedMessageKeys {
  const sealedRecords = new SqlSealedRecords(reader);
  return new SealedMessageKeys({ fields, sealedRecords, store, clock: new ManualClock(), random: systemRandom });
}

const message = (id: number, fields: Partial<StoredMessage> = {}): StoredMessage => ({
  id,
  realm: T,
  topic: `t/${id}`,
  payload: new TextEncoder().encode('CANARY in a payload'),
  qos: 1,
  retain: false,
  properties: new TextEncoder().encode('CANARY in properties'),
  expiresAt: undefined,
  publisher: 'default/device/lamp-1/lamp-1',
  ...fields,
});

/** Order within lists other than deliveries means nothing. */
function inOrder(state: StoredState): StoredState {
  const by = <Row>(rows: readonly Row[], keyOf: (row: Row) => string | number): Row[] =>
    [...rows].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return {
    messages: by(state.messages, ({ id }) => id),
    lastMessageId: state.lastMessageId,
    retained: by(state.retained, ({ topic }) => topic).map(({ messageId, realm, topic }) => ({
      messageId,
      realm,
      topic,
    })),
    sessions: by(
      state.sessions.map((each) => ({
        ...each,
        inbound: by(each.inbound, ({ packetId }) => packetId),
        subscriptions: by(each.subscriptions, ({ text }) => text),
      })),
      ({ session }) => session.key,
    ),
  };
}

describe('MQTT rows', () => {
  const storeOn = (base: OpenStore): SqlDurableStore =>
    new SqlDurableStore({ reader: base.reader, store: base.store, keys: keysOf(base), log: silentLog });

  const key = fc.constantFrom('default/device/a/a', 'default/device/b/b');
  const small = fc.integer({ min: 1, max: 4 });
  const qos = fc.constantFrom<(1 | 2)[]>(1, 2);
  const delivery = fc.record({
    order: small,
    messageId: small,
    qos,
    retain: fc.boolean(),
    subscriptionIds: fc.array(small, { maxLength: 2 }),
    packetId: fc.constant(0),
    state: fc.constant('queued' as const),
  });
  const subscription = fc.record({
    text: fc.constantFrom('x/#', '$share/g/y'),
    qos,
    noLocal: fc.boolean(),
    retainAsPublished: fc.boolean(),
    retainHandling: fc.constantFrom<(0 | 1 | 2)[]>(0, 1, 2),
    subscriptionId: fc.option(small, { nil: undefined }),
  });
  const session = fc.record({
    key,
    realm: fc.constant(T),
    clientId: fc.constantFrom('a', 'b'),
    expirySeconds: fc.constantFrom(60, 0xffffffff),
    disconnectedAt: fc.option(small, { nil: undefined }),
  });
  const state = fc.constantFrom<('sent' | 'released')[]>('sent', 'released');
  const change: fc.Arbitrary<StoreChange> = fc.oneof(
    fc.record({ kind: fc.constant('session-saved' as const), session }),
    fc.record({ kind: fc.constant('session-removed' as const), key }),
    fc.record({ kind: fc.constant('subscription-saved' as const), key, subscription }),
    fc.record({ kind: fc.constant('subscription-removed' as const), key, text: fc.constantFrom('x/#', '$share/g/y') }),
    fc.record({ kind: fc.constant('delivery-saved' as const), key, delivery }),
    fc.record({ kind: fc.constant('delivery-moved' as const), key, order: small, packetId: small, state }),
    fc.record({ kind: fc.constant('delivery-removed' as const), key, order: small }),
    fc.record({ kind: fc.constant('inbound-saved' as const), key, packetId: small, messageId: small }),
    fc.record({ kind: fc.constant('inbound-removed' as const), key, packetId: small }),
    fc.record({
      kind: fc.constant('retained-saved' as const),
      realm: fc.constant(T),
      topic: fc.constantFrom('r', 's'),
      messageId: small,
    }),
    fc.record({
      kind: fc.constant('retained-removed' as const),
      realm: fc.constant(T),
      topic: fc.constantFrom('r', 's'),
    }),
  );

  it('hold after any run of changes what the store in memory holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
        const fresh = await openStore({ location: ':memory:', clock: new ManualClock() });
        const sql = storeOn(fresh);
        const memory = new MemoryStore();
        // Sessions exist from the start: a change of a session that does not is the core's mistake, and undefined.
        const setUp: StoreChange[] = ['a', 'b'].map((name) => ({
          kind: 'session-saved',
          session: {
            key: `default/device/${name}/${name}`,
            realm: T,
            clientId: name,
            expirySeconds: 1,
            disconnectedAt: undefined,
          },
        }));
        const saved = [1, 2, 3, 4].map((id): StoreChange => ({ kind: 'message-saved', message: message(id) }));
        const removed = new Set<string>();
        const valid = changes.filter((each) => {
          if (each.kind === 'session-removed') removed.add(each.key);
          if (each.kind === 'session-saved') removed.delete(each.session.key);
          return !('key' in each) || !removed.has(each.key) || each.kind === 'session-removed';
        });
        for (const each of [sql, memory]) {
          await each.append([...setUp, ...saved]);
          await each.append(valid);
        }
        expect(inOrder(await sql.load())).toEqual(inOrder(await memory.load()));
        await fresh.close();
      }),
      { numRuns: 40 },
    );
  });

  it('open in the next life of the process what this one sealed', async () => {
    const first = storeOn(opened);
    await first.append([{ kind: 'message-saved', message: message(1) }]);
    const second = storeOn(opened);
    await second.append([{ kind: 'message-saved', message: message(2, { expiresAt: 5, retain: true, qos: 2 }) }]);
    const { messages } = await storeOn(opened).load();
    expect(messages).toEqual([message(1), message(2, { expiresAt: 5, retain: true, qos: 2 })]);
  });

  it('keep the order of appends while a key is being made', async () => {
    const store = storeOn(opened);
    await Promise.all([
      store.append([{ kind: 'message-saved', message: message(1) }]),
      store.append([{ kind: 'message-removed', id: 1 }]),
      store.append([{ kind: 'message-saved', message: message(2, { realm: 'other' }) }]),
    ]);
    expect((await store.load()).messages).toEqual([message(2, { realm: 'other' })]);
  });

  it('drop the keys that no message needs any more', async () => {
    for (const id of [1, 2, 3]) await storeOn(opened).append([{ kind: 'message-saved', message: message(id) }]);
    await storeOn(opened).append([{ kind: 'message-removed', id: 2 }]);
    const store = storeOn(opened);
    await store.load();
    await store.append([{ kind: 'message-saved', message: message(4) }]);
    const { rows } = await new SqlSealedRecords(opened.reader).list(T, 'mqtt-key', { limit: 10 });
    expect(rows.map(({ id }) => id)).toEqual(['00000001', '00000003', '00000004']);
  });

  it('show nothing of what a message says', async () => {
    const store = storeOn(opened);
    await store.append([{ kind: 'message-saved', message: message(1) }]);
    const rows = await opened.reader.all(query.selectFrom('mqtt_messages').selectAll());
    const text = rows
      .map((row) => JSON.stringify({ ...row, sealed: Buffer.from(row.sealed).toString('latin1') }))
      .join();
    expect(text).not.toContain('CANARY');
  });

  it('give nobody a message that was altered or moved to another topic, and keep the rest', async () => {
    const store = storeOn(opened);
    const saved = [1, 2, 3].map((id): StoreChange => ({ kind: 'message-saved', message: message(id) }));
    const retained = [1, 2, 3].map(
      (id): StoreChange => ({ kind: 'retained-saved', realm: T, topic: `t/${id}`, messageId: id }),
    );
    await store.append([...saved, ...retained]);
    await opened.store.commit([
      compileWrite(query.updateTable('mqtt_messages').set({ topic: 't/9' }).where('message_id', '=', 1)),
      compileWrite(
        query
          .updateTable('mqtt_messages')
          .set({ sealed: new Uint8Array(40) })
          .where('message_id', '=', 2),
      ),
    ]);
    const state = await store.load();
    expect(state.messages).toEqual([message(3)]);
    expect(state.retained).toEqual([{ realm: T, topic: 't/3', messageId: 3 }]);
  });

  it('count the identity of a message nobody can read: a new one under it would go to those it was for', async () => {
    await storeOn(opened).append([1, 2].map((id): StoreChange => ({ kind: 'message-saved', message: message(id) })));
    const broken = query.updateTable('mqtt_messages').set({ sealed: new Uint8Array(40) });
    await opened.store.commit([compileWrite(broken.where('message_id', '=', 2))]);
    expect(await storeOn(opened).load()).toMatchObject({ messages: [message(1)], lastMessageId: 2 });
  });
});

describe('a sealed message', () => {
  it('never repeats a nonce and opens only whole, in its place', async () => {
    const keys = keysOf(opened);
    const sealer = new MessageSealer(keys);
    await sealer.makeKey(T);
    const opener = new MessageOpener(keys);
    const one = sealer.seal(message(1));
    const again = sealer.seal(message(1));
    expect(Buffer.from(one.subarray(4, 16)).equals(again.subarray(4, 16))).toBe(false);
    expect(await opener.open(message(1), one)).toEqual({
      payload: message(1).payload,
      properties: message(1).properties,
    });
    const failed = expect.objectContaining({ code: 'crypto.open_failed' });
    await expect(opener.open(message(2), one)).rejects.toThrowError(failed);
    await expect(opener.open(message(1, { realm: 'other' }), one)).rejects.toThrowError(failed);
    for (let length = 0; length < one.length; length++) {
      await expect(opener.open(message(1), one.subarray(0, length))).rejects.toThrowError(failed);
    }
  });
});
