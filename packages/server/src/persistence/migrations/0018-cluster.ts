import type { Migration } from '../migrate.ts';

export const CLUSTER_0018: Migration = {
  id: '0018-cluster',
  statements: ({ integer, keyed, text }) => [
    `CREATE TABLE mqtt_leases (
      session_key ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      node_id ${text} NOT NULL,
      epoch ${integer} NOT NULL
    )${keyed}`,
    'CREATE INDEX mqtt_leases_node ON mqtt_leases (node_id)',
    `CREATE TABLE cluster_nodes (
      node_id ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      slot ${integer} NOT NULL,
      name ${text} NOT NULL,
      started_at ${integer} NOT NULL,
      beats ${integer} NOT NULL,
      UNIQUE (slot)
    )${keyed}`,
    `CREATE TABLE cluster_leases (
      name ${text} PRIMARY KEY,
      tenant ${text} NOT NULL,
      node_id ${text} NOT NULL,
      beats ${integer} NOT NULL
    )${keyed}`,
  ],
};
