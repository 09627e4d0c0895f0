import { type Log, toHoldfastError } from '@holdfast/kernel';
import type { Write } from '@holdfast/trust/ports';
import type { SessionLease, SharedSessions, StoredFor } from '../../cluster/ports.ts';
import type { StoreChange, StoredMessage, StoredState } from '../../protocols/mqtt/ports.ts';
import type { ArgumentOf } from '../compiled.ts';
import { defineRead } from '../read.ts';
import { query } from '../schema.ts';
import type { MqttMessageTable, MqttRetainedTable, MqttSessionTable } from '../tables/communication.ts';
import { compileWrite, defineWrite } from '../write.ts';
import { MessageOpener } from './communication-messages.ts';
import {
  deliveryOf,
  groupByKey,
  inboundOf,
  messageOf,
  SqlDurableStore,
  type SqlDurableStorePorts,
  subscriptionOf,
} from './communication-mqtt.ts';
import { type SealMessage, SESSION_REMOVALS, writesOfChange } from './communication-writes.ts';

const NEVER = 0xffff_ffff;
const SWEPT_AT_ONCE = 500;
const QUEUED_PAGE = 5_000;
const NOTHING: StoredState = { messages: [], lastMessageId: 0, sessions: [], retained: [] };

type ByKey = { readonly session_key: string };

const guard = defineWrite<{ session_key: string; epoch: number }>(
  (arg) =>
    query
      .updateTable('mqtt_leases')
      .set((each) => ({ epoch: each.ref('epoch') }))
      .where('session_key', '=', arg('session_key'))
      .where('epoch', '=', arg('epoch')),
  { expectRows: 1 },
);

const insertLease = defineWrite<{ session_key: string; tenant: string; node_id: string; epoch: number }>(
  (arg) =>
    query.insertInto('mqtt_leases').values({
      session_key: arg('session_key'),
      tenant: arg('tenant'),
      node_id: arg('node_id'),
      epoch: arg('epoch'),
    }),
  { expectRows: 1 },
);

const moveLease = defineWrite<{ session_key: string; before: number; node_id: string; epoch: number }>(
  (arg) =>
    query
      .updateTable('mqtt_leases')
      .set({ node_id: arg('node_id'), epoch: arg('epoch') })
      .where('session_key', '=', arg('session_key'))
      .where('epoch', '=', arg('before')),
  { expectRows: 1 },
);

const removeLease = defineWrite<{ session_key: string; epoch: number }>((arg) =>
  query.deleteFrom('mqtt_leases').where('session_key', '=', arg('session_key')).where('epoch', '=', arg('epoch')),
);

/** The newest identity wins, whichever comes first. */
const saveRetained = defineWrite<{ [K in keyof MqttRetainedTable]: MqttRetainedTable[K] }>((arg) =>
  query
    .insertInto('mqtt_retained')
    .values({ tenant: arg('tenant'), topic: arg('topic'), message_id: arg('message_id') })
    .onConflict((each) =>
      each
        .columns(['tenant', 'topic'])
        .doUpdateSet((row) => ({ message_id: row.ref('excluded.message_id') }))
        .whereRef('mqtt_retained.message_id', '<', 'excluded.message_id'),
    ),
);

const readLease = defineRead((arg: ArgumentOf<ByKey>) =>
  query.selectFrom('mqtt_leases').selectAll().where('session_key', '=', arg('session_key')),
);
const readSession = defineRead((arg: ArgumentOf<ByKey>) =>
  query.selectFrom('mqtt_sessions').selectAll().where('session_key', '=', arg('session_key')),
);
const readSubscriptions = defineRead((arg: ArgumentOf<ByKey>) =>
  query.selectFrom('mqtt_subscriptions').selectAll().where('session_key', '=', arg('session_key')),
);
const readDeliveries = defineRead((arg: ArgumentOf<ByKey>) =>
  query.selectFrom('mqtt_deliveries').selectAll().where('session_key', '=', arg('session_key')).orderBy('position'),
);
const readInbound = defineRead((arg: ArgumentOf<ByKey>) =>
  query.selectFrom('mqtt_inbound').selectAll().where('session_key', '=', arg('session_key')),
);
const readDelivered = defineRead((arg: ArgumentOf<ByKey>) =>
  query
    .selectFrom('mqtt_messages')
    .selectAll()
    .where('message_id', 'in', (each) =>
      each.selectFrom('mqtt_deliveries').select('message_id').where('session_key', '=', arg('session_key')),
    ),
);
const readHeld = defineRead((arg: ArgumentOf<ByKey>) =>
  query
    .selectFrom('mqtt_messages')
    .selectAll()
    .where('message_id', 'in', (each) =>
      each.selectFrom('mqtt_inbound').select('message_id').where('session_key', '=', arg('session_key')),
    ),
);

/** MQTT state that several nodes read and write. */
export class SqlSharedSessions implements SharedSessions {
  readonly #ports: Omit<SqlDurableStorePorts, 'shared'>;
  readonly #durable: SqlDurableStore;
  readonly #opener: MessageOpener;
  #epochOf: (key: string) => number | undefined = () => undefined;

  constructor(ports: Omit<SqlDurableStorePorts, 'shared'>) {
    this.#ports = ports;
    this.#opener = new MessageOpener(ports.keys);
    this.#durable = new SqlDurableStore({
      ...ports,
      shared: { writesOf: (changes, seal) => this.#writesOf(changes, seal) },
    });
  }

  append(changes: readonly StoreChange[], epochOf: (key: string) => number | undefined): Promise<void> {
    this.#epochOf = epochOf;
    return this.#durable.append(changes);
  }

  async loadShared(): Promise<StoredState> {
    const { reader } = this.#ports;
    const subscriptions = groupByKey(await reader.all(query.selectFrom('mqtt_subscriptions').selectAll()));
    const sessions = await reader.all(query.selectFrom('mqtt_sessions').selectAll());
    const retained = await reader.all(query.selectFrom('mqtt_retained').selectAll());
    const rows = await reader.all(
      query
        .selectFrom('mqtt_messages')
        .selectAll()
        .where('message_id', 'in', (each) => each.selectFrom('mqtt_retained').select('message_id')),
    );
    return {
      ...NOTHING,
      messages: await this.#open(rows),
      sessions: sessions.map((row) => ({
        session: sessionOf(row),
        subscriptions: (subscriptions.get(row.session_key) ?? []).map(subscriptionOf),
        deliveries: [],
        inbound: [],
      })),
      retained: retained.map((row) => ({ realm: row.tenant, topic: row.topic, messageId: row.message_id })),
    };
  }

  async loadSession(key: string): Promise<StoredState> {
    const { reader } = this.#ports;
    const of = { session_key: key };
    const row = await reader.first(readSession(of));
    if (row === undefined) return NOTHING;
    const subscriptions = await reader.all(readSubscriptions(of));
    const deliveries = await reader.all(readDeliveries(of));
    const inbound = await reader.all(readInbound(of));
    const messages = [
      ...(deliveries.length === 0 ? [] : await reader.all(readDelivered(of))),
      ...(inbound.length === 0 ? [] : await reader.all(readHeld(of))),
    ];
    const session = {
      session: sessionOf(row),
      subscriptions: subscriptions.map(subscriptionOf),
      deliveries: deliveries.map(deliveryOf),
      inbound: inbound.map(inboundOf),
    };
    return { ...NOTHING, messages: await this.#open(messages), sessions: [session] };
  }

  async loadQueued(nodeId: string, key?: string): Promise<readonly StoredFor[]> {
    const { reader } = this.#ports;
    const waiting = query
      .selectFrom('mqtt_deliveries')
      .innerJoin('mqtt_leases', 'mqtt_leases.session_key', 'mqtt_deliveries.session_key')
      .selectAll('mqtt_deliveries')
      .where('mqtt_leases.node_id', '=', nodeId)
      .where('mqtt_deliveries.state', '=', 'queued')
      .orderBy('mqtt_deliveries.position')
      .limit(QUEUED_PAGE);
    const deliveries = await reader.all(
      key === undefined ? waiting : waiting.where('mqtt_deliveries.session_key', '=', key),
    );
    if (deliveries.length === 0) return [];
    const ids = [...new Set(deliveries.map(({ message_id }) => message_id))];
    const rows = await reader.all(query.selectFrom('mqtt_messages').selectAll().where('message_id', 'in', ids));
    const messages = new Map((await this.#open(rows)).map((message) => [message.id, message]));
    return deliveries.flatMap((row) => {
      const message = messages.get(row.message_id);
      return message === undefined ? [] : [{ key: row.session_key, delivery: deliveryOf(row), message }];
    });
  }

  async lease(key: string): Promise<SessionLease | undefined> {
    const row = await this.#ports.reader.first(readLease({ session_key: key }));
    return row === undefined ? undefined : { nodeId: row.node_id, epoch: row.epoch };
  }

  async leases(nodeId?: string): Promise<ReadonlyMap<string, SessionLease>> {
    const all = query.selectFrom('mqtt_leases').selectAll();
    const rows = await this.#ports.reader.all(nodeId === undefined ? all : all.where('node_id', '=', nodeId));
    return new Map(rows.map((row) => [row.session_key, { nodeId: row.node_id, epoch: row.epoch }]));
  }

  takeLease(key: string, before: SessionLease | undefined, { epoch, nodeId }: SessionLease): Promise<void> {
    const tenant = key.slice(0, Math.max(key.indexOf('/'), 0));
    const write =
      before === undefined
        ? insertLease({ session_key: key, tenant, node_id: nodeId, epoch })
        : moveLease({ session_key: key, before: before.epoch, node_id: nodeId, epoch });
    return this.#ports.store.commit([write]);
  }

  dropLease(key: string, epoch: number): Promise<void> {
    return this.#ports.store.commit([removeLease({ session_key: key, epoch })]);
  }

  async endExpired(now: number): Promise<readonly string[]> {
    const { reader, store } = this.#ports;
    const rows = await reader.all(
      query
        .selectFrom('mqtt_sessions')
        .select(['session_key', 'disconnected_at'])
        .where('disconnected_at', 'is not', null)
        .where('expiry_seconds', '<', NEVER)
        .where((each) => each(each('disconnected_at', '+', each('expiry_seconds', '*', each.lit(1000))), '<=', now))
        .orderBy('session_key')
        .limit(SWEPT_AT_ONCE),
    );
    const ended = await Promise.all(
      rows.map(({ disconnected_at, session_key }) => {
        // Whoever connects meanwhile has made it null.
        const still = compileWrite(
          query
            .deleteFrom('mqtt_sessions')
            .where('session_key', '=', session_key)
            .where('disconnected_at', '=', disconnected_at),
          { expectRows: 1 },
        );
        const rest = SESSION_REMOVALS.map((remove) => remove({ session_key }));
        const lease = compileWrite(query.deleteFrom('mqtt_leases').where('session_key', '=', session_key));
        return store.commit([still, ...rest, lease]).then(
          () => [session_key],
          () => [],
        );
      }),
    );
    return ended.flat();
  }

  sweepMessages(before: number): Promise<void> {
    const unreferred = (['mqtt_deliveries', 'mqtt_inbound', 'mqtt_retained'] as const).reduce(
      (built, table) =>
        built.where((each) =>
          each.not(
            each.exists(
              each
                .selectFrom(table)
                .select('message_id')
                .whereRef(`${table}.message_id`, '=', 'mqtt_messages.message_id'),
            ),
          ),
        ),
      query.deleteFrom('mqtt_messages').where('message_id', '<', before),
    );
    return this.#ports.store.commit([compileWrite(unreferred)]);
  }

  orphan(nodeId: string, epoch: number, now: number): Promise<void> {
    const its = query.selectFrom('mqtt_leases').select('session_key').where('node_id', '=', nodeId);
    return this.#ports.store.commit([
      compileWrite(
        query
          .updateTable('mqtt_sessions')
          .set({ disconnected_at: now })
          .where('disconnected_at', 'is', null)
          .where('session_key', 'in', its),
      ),
      compileWrite(query.updateTable('mqtt_leases').set({ node_id: '', epoch }).where('node_id', '=', nodeId)),
    ]);
  }

  #writesOf(changes: readonly StoreChange[], seal: SealMessage): readonly Write[] {
    const guards = new Map<string, number>();
    for (const change of changes) {
      const key = change.kind === 'session-saved' ? change.session.key : 'key' in change ? change.key : undefined;
      const epoch = key === undefined ? undefined : this.#epochOf(key);
      if (key !== undefined && epoch !== undefined) guards.set(key, epoch);
    }
    // In the order of their keys, so that two nodes never wait for each other.
    const ordered = [...guards].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return [
      ...ordered.map(([session_key, epoch]) => guard({ session_key, epoch })),
      ...changes.flatMap((change) =>
        change.kind === 'retained-saved'
          ? [saveRetained({ tenant: change.realm, topic: change.topic, message_id: change.messageId })]
          : writesOfChange(change, seal),
      ),
    ];
  }

  async #open(rows: readonly MqttMessageTable[]): Promise<readonly StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (const row of rows) {
      const message = await openOne(row, this.#opener, this.#ports.log);
      if (message !== undefined) messages.push(message);
    }
    return messages;
  }
}

async function openOne(row: MqttMessageTable, opener: MessageOpener, log: Log): Promise<StoredMessage | undefined> {
  try {
    return await messageOf(row, opener);
  } catch (error) {
    const { code } = toHoldfastError(error);
    if (code === 'store.unavailable') throw error;
    log.error('a stored message cannot be opened and is left out', { code, message: row.message_id });
    return undefined;
  }
}

function sessionOf(row: MqttSessionTable) {
  return {
    key: row.session_key,
    realm: row.tenant,
    clientId: row.client_id,
    expirySeconds: row.expiry_seconds,
    disconnectedAt: row.disconnected_at ?? undefined,
  };
}
