import { type Log, toHoldfastError } from '@holdfast/kernel';
import type { Store, Tenant, Write } from '@holdfast/trust/ports';
import type {
  DurableStore,
  StoreChange,
  StoredDelivery,
  StoredMessage,
  StoredState,
  StoredSubscription,
} from '../../protocols/mqtt/ports.ts';
import type { Reader } from '../reader.ts';
import { query } from '../schema.ts';
import type {
  MqttDeliveryTable,
  MqttInboundTable,
  MqttMessageTable,
  MqttSubscriptionTable,
} from '../tables/communication.ts';
import type { MessageKeys } from './communication-keys.ts';
import { MessageOpener, MessageSealer } from './communication-messages.ts';
import { type SealMessage, writesOfChange } from './communication-writes.ts';

export interface SqlDurableStorePorts {
  readonly reader: Reader;
  readonly store: Store;
  readonly keys: MessageKeys;
  readonly log: Log;
  /** What changes come to where several nodes write; keys of other nodes are then left alone. */
  readonly shared?: { readonly writesOf: (changes: readonly StoreChange[], seal: SealMessage) => readonly Write[] };
}

/** The MQTT core's sessions, queues and retained messages as rows; what messages say is sealed. */
export class SqlDurableStore implements DurableStore {
  readonly #ports: SqlDurableStorePorts;
  readonly #sealer: MessageSealer;
  /** Set while an append waits for a tenant's key; what comes after it must wait too. */
  #behind: Promise<void> | undefined;
  /** Keys that rows of earlier lives need; unknown before `load`. */
  #needed: ReadonlyMap<Tenant, ReadonlySet<number>> | undefined;

  constructor(ports: SqlDurableStorePorts) {
    this.#ports = ports;
    this.#sealer = new MessageSealer(ports.keys);
  }

  /** Everything that refers to a readable message; one that cannot be opened is reported, and nobody gets it. */
  async load(): Promise<StoredState> {
    const { reader } = this.#ports;
    const { messages, lastMessageId } = await this.#messages();
    const ids = new Set(messages.map(({ id }) => id));
    const kept = <Row extends { readonly message_id: number }>(rows: readonly Row[]): Row[] =>
      rows.filter((row) => ids.has(row.message_id));
    const deliveries = groupByKey(
      kept(
        await reader.all(query.selectFrom('mqtt_deliveries').selectAll().orderBy('session_key').orderBy('position')),
      ),
    );
    const inbound = groupByKey(kept(await reader.all(query.selectFrom('mqtt_inbound').selectAll())));
    const subscriptions = groupByKey(await reader.all(query.selectFrom('mqtt_subscriptions').selectAll()));
    const sessions = await reader.all(query.selectFrom('mqtt_sessions').selectAll());
    const retained = kept(await reader.all(query.selectFrom('mqtt_retained').selectAll()));
    return {
      messages,
      lastMessageId,
      sessions: sessions.map((row) => ({
        session: {
          key: row.session_key,
          realm: row.tenant,
          clientId: row.client_id,
          expirySeconds: row.expiry_seconds,
          disconnectedAt: row.disconnected_at ?? undefined,
        },
        subscriptions: (subscriptions.get(row.session_key) ?? []).map(subscriptionOf),
        deliveries: (deliveries.get(row.session_key) ?? []).map(deliveryOf),
        inbound: (inbound.get(row.session_key) ?? []).map(inboundOf),
      })),
      retained: retained.map((row) => ({ realm: row.tenant, topic: row.topic, messageId: row.message_id })),
    };
  }

  append(changes: readonly StoreChange[]): Promise<void> {
    const keyless = new Set<Tenant>();
    for (const change of changes) {
      if (change.kind === 'message-saved' && !this.#sealer.hasKey(change.message.realm))
        keyless.add(change.message.realm);
    }
    if (this.#behind === undefined && keyless.size === 0) return this.#commit(changes);
    return this.#commitBehind(changes, [...keyless]);
  }

  #commitBehind(changes: readonly StoreChange[], keyless: readonly Tenant[]): Promise<void> {
    const committed = this.#afterKeys(this.#behind, changes, keyless);
    const behind: Promise<void> = committed
      .catch(() => undefined)
      .finally(() => {
        if (this.#behind === behind) this.#behind = undefined;
      });
    this.#behind = behind;
    return committed;
  }

  async #afterKeys(
    before: Promise<void> | undefined,
    changes: readonly StoreChange[],
    keyless: readonly Tenant[],
  ): Promise<void> {
    await before;
    for (const tenant of keyless) await this.#makeKey(tenant);
    await this.#commit(changes);
  }

  async #makeKey(tenant: Tenant): Promise<void> {
    const { epoch } = await this.#sealer.makeKey(tenant);
    // Keys of lives that left no message are of no more use.
    if (this.#needed !== undefined && this.#ports.shared === undefined)
      await this.#ports.keys.keepOnly(tenant, new Set([...(this.#needed.get(tenant) ?? []), epoch]));
  }

  #commit(changes: readonly StoreChange[]): Promise<void> {
    const seal = (message: StoredMessage) => this.#sealer.seal(message);
    const { shared, store } = this.#ports;
    return store.commit(
      shared === undefined ? changes.flatMap((change) => writesOfChange(change, seal)) : shared.writesOf(changes, seal),
    );
  }

  async #messages(): Promise<Pick<StoredState, 'messages' | 'lastMessageId'>> {
    const { keys, log, reader } = this.#ports;
    const opener = new MessageOpener(keys);
    const rows = await reader.all(query.selectFrom('mqtt_messages').selectAll().orderBy('message_id'));
    const messages: StoredMessage[] = [];
    for (const row of rows) {
      try {
        messages.push(await messageOf(row, opener));
      } catch (error) {
        const { code } = toHoldfastError(error);
        log.error('a stored message cannot be opened and is left out', { code, message: row.message_id });
      }
    }
    this.#needed = opener.epochs;
    return { messages, lastMessageId: rows.at(-1)?.message_id ?? 0 };
  }
}

export async function messageOf(row: MqttMessageTable, opener: MessageOpener): Promise<StoredMessage> {
  const place = { id: row.message_id, realm: row.tenant, topic: row.topic };
  return {
    ...place,
    ...(await opener.open(place, row.sealed)),
    qos: row.qos as StoredMessage['qos'],
    retain: row.retain === 1,
    expiresAt: row.expires_at ?? undefined,
    publisher: row.publisher,
  };
}

export function subscriptionOf(row: MqttSubscriptionTable): StoredSubscription {
  return {
    text: row.text,
    qos: row.qos as StoredSubscription['qos'],
    noLocal: row.no_local === 1,
    retainAsPublished: row.retain_as_published === 1,
    retainHandling: row.retain_handling as StoredSubscription['retainHandling'],
    subscriptionId: row.subscription_id ?? undefined,
  };
}

export function deliveryOf(row: MqttDeliveryTable): StoredDelivery {
  return {
    order: row.position,
    messageId: row.message_id,
    qos: row.qos as StoredDelivery['qos'],
    retain: row.retain === 1,
    subscriptionIds: JSON.parse(row.subscription_ids) as readonly number[],
    packetId: row.packet_id,
    state: row.state as StoredDelivery['state'],
  };
}

export function inboundOf(row: MqttInboundTable): { readonly packetId: number; readonly messageId: number } {
  return { packetId: row.packet_id, messageId: row.message_id };
}

export function groupByKey<Row extends { readonly session_key: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.session_key);
    if (group === undefined) groups.set(row.session_key, [row]);
    else group.push(row);
  }
  return groups;
}
