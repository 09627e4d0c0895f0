/** Policy documents that operators wrote. */
export interface PolicyTable {
  tenant: string;
  name: string;
  /** AWS IoT policy JSON as it was given. */
  document: string;
  version: number;
  created_at: number;
  changed_at: number;
}

interface PolicyAttachmentTable {
  tenant: string;
  /** `group` or `device`. */
  target_kind: string;
  target_id: string;
  policy: string;
}

/** MQTT sessions that outlive their connection. */
export interface MqttSessionTable {
  session_key: string;
  tenant: string;
  client_id: string;
  expiry_seconds: number;
  /** Null while connected. */
  disconnected_at: number | null;
}

export interface MqttSubscriptionTable {
  session_key: string;
  /** As subscribed, `$share/…` included. */
  text: string;
  tenant: string;
  qos: number;
  no_local: number;
  retain_as_published: number;
  retain_handling: number;
  subscription_id: number | null;
}

/** Messages that wait for somebody or are retained; kept once, however many wait. */
export interface MqttMessageTable {
  message_id: number;
  tenant: string;
  topic: string;
  /** Properties and payload, sealed: they are data of devices. */
  sealed: Uint8Array;
  qos: number;
  retain: number;
  expires_at: number | null;
  /** Session key of the publisher; empty for the server. */
  publisher: string;
}

export interface MqttDeliveryTable {
  session_key: string;
  position: number;
  tenant: string;
  message_id: number;
  qos: number;
  retain: number;
  /** JSON list. */
  subscription_ids: string;
  packet_id: number;
  state: string;
}

export interface MqttInboundTable {
  session_key: string;
  packet_id: number;
  tenant: string;
  message_id: number;
}

export interface MqttRetainedTable {
  tenant: string;
  topic: string;
  message_id: number;
}

interface ShadowTable {
  tenant: string;
  device_id: string;
  /** Empty for the classic shadow. */
  name: string;
  version: number;
  changed_at: number;
  deleted: number;
}

/** Which node of a cluster has a session; whoever writes of it names the epoch. */
interface MqttLeaseTable {
  session_key: string;
  tenant: string;
  /** Empty when the node that had it is gone. */
  node_id: string;
  /** Another one for every taking. */
  epoch: number;
}

/** Nodes that share this store, as each says of itself. */
interface ClusterNodeTable {
  node_id: string;
  tenant: string;
  /** What keeps the identities it gives apart from those of others, 0 to 63. */
  slot: number;
  name: string;
  started_at: number;
  /** Grows while the node lives. */
  beats: number;
}

/** What one node does for all. */
interface ClusterLeaseTable {
  name: string;
  tenant: string;
  node_id: string;
  /** Grows while the holder lives. */
  beats: number;
}

/** How far each sink has come in a spool. */
interface SinkPositionTable {
  spool: string;
  sink: string;
  tenant: string;
  /** Of the next message. */
  position: number;
  saved_at: number;
}

/** Messages a sink did not take; what they say is a sealed record. */
export interface SinkDeadLetterTable {
  tenant: string;
  sink: string;
  message_id: string;
  /** Null for what the server itself said. */
  device_id: string | null;
  topic: string;
  bytes: number;
  attempts: number;
  reason: string;
  sent_at: number;
  died_at: number;
}

export interface CommunicationTables {
  policies: PolicyTable;
  policy_attachments: PolicyAttachmentTable;
  mqtt_sessions: MqttSessionTable;
  mqtt_subscriptions: MqttSubscriptionTable;
  mqtt_messages: MqttMessageTable;
  mqtt_deliveries: MqttDeliveryTable;
  mqtt_inbound: MqttInboundTable;
  mqtt_retained: MqttRetainedTable;
  mqtt_leases: MqttLeaseTable;
  cluster_nodes: ClusterNodeTable;
  cluster_leases: ClusterLeaseTable;
  shadows: ShadowTable;
  sink_positions: SinkPositionTable;
  sink_dead_letters: SinkDeadLetterTable;
}
