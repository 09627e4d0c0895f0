import type { Migration } from '../migrate.ts';

export const SHADOWS_AND_SINKS_0010: Migration = {
  id: '0010-shadows-and-sinks',
  statements: ({ integer, keyed, text }) => [
    `CREATE TABLE shadows (
      tenant ${text} NOT NULL,
      device_id ${text} NOT NULL,
      name ${text} NOT NULL,
      version ${integer} NOT NULL,
      changed_at ${integer} NOT NULL,
      deleted ${integer} NOT NULL,
      PRIMARY KEY (tenant, device_id, name)
    )${keyed}`,
    `CREATE TABLE sink_positions (
      spool ${text} NOT NULL,
      sink ${text} NOT NULL,
      tenant ${text} NOT NULL,
      position ${integer} NOT NULL,
      saved_at ${integer} NOT NULL,
      PRIMARY KEY (spool, sink)
    )${keyed}`,
    `CREATE TABLE sink_dead_letters (
      tenant ${text} NOT NULL,
      sink ${text} NOT NULL,
      message_id ${text} NOT NULL,
      device_id ${text},
      topic ${text} NOT NULL,
      bytes ${integer} NOT NULL,
      attempts ${integer} NOT NULL,
      reason ${text} NOT NULL,
      sent_at ${integer} NOT NULL,
      died_at ${integer} NOT NULL,
      PRIMARY KEY (tenant, sink, message_id)
    )${keyed}`,
  ],
};
