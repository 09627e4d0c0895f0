import type { Migration } from '../migrate.ts';

export const COMMUNICATION_0005: Migration = {
  id: '0005-communication',
  statements: ({ blob, counted, integer, keyed, text }) => [
    `CREATE TABLE policies (
      tenant ${text} NOT NULL,
      name ${text} NOT NULL,
      document ${text} NOT NULL,
      version ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      changed_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, name)
    )${keyed}`,
    `CREATE TABLE policy_attachments (
      tenant ${text} NOT NULL,
      target_kind ${text} NOT NULL,
      target_id ${text} NOT NULL,
      policy ${text} NOT NULL,
      PRIMARY KEY (tenant, target_kind, target_id, policy),
      FOREIGN KEY (tenant, policy) REFERENCES policies (tenant, name)
    )${keyed}`,
    'CREATE INDEX policy_attachments_policy ON policy_attachments (tenant, policy, target_kind, target_id)',
    `CREATE TABLE mqtt_sessions (
      session_key ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      client_id ${text} NOT NULL,
      expiry_seconds ${integer} NOT NULL,
      disconnected_at ${integer}
    )${keyed}`,
    `CREATE TABLE mqtt_subscriptions (
      session_key ${text} NOT NULL,
      text ${text} NOT NULL,
      tenant ${text} NOT NULL,
      qos ${integer} NOT NULL,
      no_local ${integer} NOT NULL,
      retain_as_published ${integer} NOT NULL,
      retain_handling ${integer} NOT NULL,
      subscription_id ${integer},
      PRIMARY KEY (session_key, text)
    )${keyed}`,
    `CREATE TABLE mqtt_messages (
      message_id ${integer} PRIMARY KEY,
      tenant ${text} NOT NULL,
      topic ${text} NOT NULL,
      sealed ${blob} NOT NULL,
      qos ${integer} NOT NULL,
      retain ${integer} NOT NULL,
      expires_at ${integer},
      publisher ${text} NOT NULL
    )${counted}`,
    `CREATE TABLE mqtt_deliveries (
      session_key ${text} NOT NULL,
      position ${integer} NOT NULL,
      tenant ${text} NOT NULL,
      message_id ${integer} NOT NULL,
      qos ${integer} NOT NULL,
      retain ${integer} NOT NULL,
      subscription_ids ${text} NOT NULL,
      packet_id ${integer} NOT NULL,
      state ${text} NOT NULL,
      PRIMARY KEY (session_key, position)
    )${keyed}`,
    `CREATE TABLE mqtt_inbound (
      session_key ${text} NOT NULL,
      packet_id ${integer} NOT NULL,
      tenant ${text} NOT NULL,
      message_id ${integer} NOT NULL,
      PRIMARY KEY (session_key, packet_id)
    )${keyed}`,
    `CREATE TABLE mqtt_retained (
      tenant ${text} NOT NULL,
      topic ${text} NOT NULL,
      message_id ${integer} NOT NULL,
      PRIMARY KEY (tenant, topic)
    )${keyed}`,
  ],
};
