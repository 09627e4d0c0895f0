import type { Write } from '@holdfast/trust/ports';
import type { StoreChange, StoredMessage } from '../../protocols/mqtt/ports.ts';
import { query } from '../schema.ts';
import type {
  MqttDeliveryTable,
  MqttInboundTable,
  MqttMessageTable,
  MqttRetainedTable,
  MqttSessionTable,
  MqttSubscriptionTable,
} from '../tables/communication.ts';
import { defineWrite } from '../write.ts';

/** Seals what a message says, for the row it lies in. */
export type SealMessage = (message: StoredMessage) => Uint8Array;

type ChangeKind = StoreChange['kind'];
type ChangeOf<Kind extends ChangeKind> = Extract<StoreChange, { kind: Kind }>;

/** The writes of one change of the MQTT core, in order. */
export function writesOfChange(change: StoreChange, seal: SealMessage): readonly Write[] {
  const write = WRITES[change.kind] as (change: StoreChange, seal: SealMessage) => readonly Write[];
  return write(change, seal);
}

/** Session keys begin with their tenant and a slash. */
function tenantOf(sessionKey: string): string {
  return sessionKey.slice(0, Math.max(sessionKey.indexOf('/'), 0));
}

function subscriptionRow(change: ChangeOf<'subscription-saved'>): MqttSubscriptionTable {
  const { key, subscription } = change;
  return {
    session_key: key,
    text: subscription.text,
    tenant: tenantOf(key),
    qos: subscription.qos,
    no_local: Number(subscription.noLocal),
    retain_as_published: Number(subscription.retainAsPublished),
    retain_handling: subscription.retainHandling,
    subscription_id: subscription.subscriptionId ?? null,
  };
}

function messageRow(message: StoredMessage, seal: SealMessage): MqttMessageTable {
  return {
    message_id: message.id,
    tenant: message.realm,
    topic: message.topic,
    sealed: seal(message),
    qos: message.qos,
    retain: Number(message.retain),
    expires_at: message.expiresAt ?? null,
    publisher: message.publisher,
  };
}

function deliveryRow(change: ChangeOf<'delivery-saved'>): MqttDeliveryTable {
  const { delivery, key } = change;
  return {
    session_key: key,
    position: delivery.order,
    tenant: tenantOf(key),
    message_id: delivery.messageId,
    qos: delivery.qos,
    retain: Number(delivery.retain),
    subscription_ids: JSON.stringify(delivery.subscriptionIds),
    packet_id: delivery.packetId,
    state: delivery.state,
  };
}

const saveSession = defineWrite<{ [K in keyof MqttSessionTable]: MqttSessionTable[K] }>((arg) =>
  query
    .insertInto('mqtt_sessions')
    .values({
      session_key: arg('session_key'),
      tenant: arg('tenant'),
      client_id: arg('client_id'),
      expiry_seconds: arg('expiry_seconds'),
      disconnected_at: arg('disconnected_at'),
    })
    .onConflict((each) =>
      each.column('session_key').doUpdateSet((row) => ({
        client_id: row.ref('excluded.client_id'),
        expiry_seconds: row.ref('excluded.expiry_seconds'),
        disconnected_at: row.ref('excluded.disconnected_at'),
      })),
    ),
);

export const SESSION_REMOVALS = (
  ['mqtt_deliveries', 'mqtt_inbound', 'mqtt_subscriptions', 'mqtt_sessions'] as const
).map((table) =>
  defineWrite<{ session_key: string }>((arg) => query.deleteFrom(table).where('session_key', '=', arg('session_key'))),
);

const saveSubscription = defineWrite<{ [K in keyof MqttSubscriptionTable]: MqttSubscriptionTable[K] }>((arg) =>
  query
    .insertInto('mqtt_subscriptions')
    .values({
      session_key: arg('session_key'),
      text: arg('text'),
      tenant: arg('tenant'),
      qos: arg('qos'),
      no_local: arg('no_local'),
      retain_as_published: arg('retain_as_published'),
      retain_handling: arg('retain_handling'),
      subscription_id: arg('subscription_id'),
    })
    .onConflict((each) =>
      each.columns(['session_key', 'text']).doUpdateSet((row) => ({
        qos: row.ref('excluded.qos'),
        no_local: row.ref('excluded.no_local'),
        retain_as_published: row.ref('excluded.retain_as_published'),
        retain_handling: row.ref('excluded.retain_handling'),
        subscription_id: row.ref('excluded.subscription_id'),
      })),
    ),
);

const removeSubscription = defineWrite<{ session_key: string; text: string }>((arg) =>
  query.deleteFrom('mqtt_subscriptions').where('session_key', '=', arg('session_key')).where('text', '=', arg('text')),
);

const saveMessage = defineWrite<{ [K in keyof MqttMessageTable]: MqttMessageTable[K] }>((arg) =>
  query.insertInto('mqtt_messages').values({
    message_id: arg('message_id'),
    tenant: arg('tenant'),
    topic: arg('topic'),
    sealed: arg('sealed'),
    qos: arg('qos'),
    retain: arg('retain'),
    expires_at: arg('expires_at'),
    publisher: arg('publisher'),
  }),
);

const removeMessage = defineWrite<{ message_id: number }>((arg) =>
  query.deleteFrom('mqtt_messages').where('message_id', '=', arg('message_id')),
);

const saveDelivery = defineWrite<{ [K in keyof MqttDeliveryTable]: MqttDeliveryTable[K] }>((arg) =>
  query
    .insertInto('mqtt_deliveries')
    .values({
      session_key: arg('session_key'),
      position: arg('position'),
      tenant: arg('tenant'),
      message_id: arg('message_id'),
      qos: arg('qos'),
      retain: arg('retain'),
      subscription_ids: arg('subscription_ids'),
      packet_id: arg('packet_id'),
      state: arg('state'),
    })
    .onConflict((each) =>
      each.columns(['session_key', 'position']).doUpdateSet((row) => ({
        message_id: row.ref('excluded.message_id'),
        qos: row.ref('excluded.qos'),
        retain: row.ref('excluded.retain'),
        subscription_ids: row.ref('excluded.subscription_ids'),
        packet_id: row.ref('excluded.packet_id'),
        state: row.ref('excluded.state'),
      })),
    ),
);

const moveDelivery = defineWrite<{ session_key: string; position: number; packet_id: number; state: string }>((arg) =>
  query
    .updateTable('mqtt_deliveries')
    .set({ packet_id: arg('packet_id'), state: arg('state') })
    .where('session_key', '=', arg('session_key'))
    .where('position', '=', arg('position')),
);

const removeDelivery = defineWrite<{ session_key: string; position: number }>((arg) =>
  query
    .deleteFrom('mqtt_deliveries')
    .where('session_key', '=', arg('session_key'))
    .where('position', '=', arg('position')),
);

const saveInbound = defineWrite<{ [K in keyof MqttInboundTable]: MqttInboundTable[K] }>((arg) =>
  query
    .insertInto('mqtt_inbound')
    .values({
      session_key: arg('session_key'),
      packet_id: arg('packet_id'),
      tenant: arg('tenant'),
      message_id: arg('message_id'),
    })
    .onConflict((each) =>
      each.columns(['session_key', 'packet_id']).doUpdateSet((row) => ({ message_id: row.ref('excluded.message_id') })),
    ),
);

const removeInbound = defineWrite<{ session_key: string; packet_id: number }>((arg) =>
  query
    .deleteFrom('mqtt_inbound')
    .where('session_key', '=', arg('session_key'))
    .where('packet_id', '=', arg('packet_id')),
);

const saveRetained = defineWrite<{ [K in keyof MqttRetainedTable]: MqttRetainedTable[K] }>((arg) =>
  query
    .insertInto('mqtt_retained')
    .values({ tenant: arg('tenant'), topic: arg('topic'), message_id: arg('message_id') })
    .onConflict((each) =>
      each.columns(['tenant', 'topic']).doUpdateSet((row) => ({ message_id: row.ref('excluded.message_id') })),
    ),
);

const removeRetained = defineWrite<{ tenant: string; topic: string }>((arg) =>
  query.deleteFrom('mqtt_retained').where('tenant', '=', arg('tenant')).where('topic', '=', arg('topic')),
);

const WRITES: { readonly [Kind in ChangeKind]: (change: ChangeOf<Kind>, seal: SealMessage) => readonly Write[] } = {
  'session-saved': ({ session }) => [
    saveSession({
      session_key: session.key,
      tenant: session.realm,
      client_id: session.clientId,
      expiry_seconds: session.expirySeconds,
      disconnected_at: session.disconnectedAt ?? null,
    }),
  ],
  'session-removed': ({ key }) => SESSION_REMOVALS.map((remove) => remove({ session_key: key })),
  'subscription-saved': (change) => [saveSubscription(subscriptionRow(change))],
  'subscription-removed': ({ key, text }) => [removeSubscription({ session_key: key, text })],
  'message-saved': ({ message }, seal) => [saveMessage(messageRow(message, seal))],
  'message-removed': ({ id }) => [removeMessage({ message_id: id })],
  'delivery-saved': (change) => [saveDelivery(deliveryRow(change))],
  'delivery-moved': ({ key, order, packetId, state }) => [
    moveDelivery({ session_key: key, position: order, packet_id: packetId, state }),
  ],
  'delivery-removed': ({ key, order }) => [removeDelivery({ session_key: key, position: order })],
  'retained-saved': ({ messageId, realm, topic }) => [saveRetained({ tenant: realm, topic, message_id: messageId })],
  'retained-removed': ({ realm, topic }) => [removeRetained({ tenant: realm, topic })],
  'inbound-saved': ({ key, messageId, packetId }) => [
    saveInbound({ session_key: key, packet_id: packetId, tenant: tenantOf(key), message_id: messageId }),
  ],
  'inbound-removed': ({ key, packetId }) => [removeInbound({ session_key: key, packet_id: packetId })],
};
